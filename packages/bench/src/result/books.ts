import type { Cell, Leaked } from './schema.ts';

const LEAKS: readonly (readonly [keyof Leaked, string])[] = [
  ['slab', 'slab objects not free'],
  ['references', 'references not put'],
  ['pending', 'groups still pending'],
  ['deferred', 'RCU callbacks not run'],
];

/** Checks that a cell lost nothing and answered everything once: reported = answered, these and the hardware's own answers = resumed,
 * nothing is left over, no translation outlived its invalidation, and a device that misbehaves harmed none but itself.
 * @returns a sentence for each figure that does not balance, naming it; empty when the books do. */
export function checkBooks(cell: Cell): string[] {
  const { faults, reported, answered, automatic, resumed, leaked, groups, admission, atc, hostile } = cell;
  const wrong: string[] = [];
  if (answered !== reported) wrong.push(`answered = ${answered}, but reported = ${reported}`);
  if (resumed !== answered + automatic) {
    const byHardware = automatic === 0 ? '' : `, and by the hardware itself = ${automatic}`;
    wrong.push(`resumed = ${resumed}, but answered = ${answered}${byHardware}`);
  }
  if (groups !== undefined && groups.pagesResumed !== faults)
    wrong.push(`groups.pagesResumed = ${groups.pagesResumed}, but faults = ${faults}`);
  if (groups !== undefined && resumed !== groups.sent)
    wrong.push(`resumed = ${resumed}, but groups.sent = ${groups.sent}`);
  if (admission !== undefined && admission.out !== 0)
    wrong.push(`admission.out = ${admission.out}: places of jobs that have not come back`);
  if (atc !== undefined && atc.breaches !== 0)
    wrong.push(`atc.breaches = ${atc.breaches}: translations used after their invalidation's sync`);
  if (hostile !== undefined && hostile.strays !== 0)
    wrong.push(`hostile.strays = ${hostile.strays}: answers that good devices had not asked for`);
  for (const [field, meaning] of LEAKS) {
    if (leaked[field] !== 0) wrong.push(`leaked.${field} = ${leaked[field]}: ${meaning}`);
  }
  return wrong;
}

/** @returns e.g. `lockless, 64 threads, repeat 2`. Repeats count from 1 for people. */
export function nameCell(cell: Pick<Cell, 'generation' | 'threads' | 'repeat' | 'scanner'>): string {
  const scanner = cell.scanner > 0 ? `, scanner ${cell.scanner} ms` : '';
  return `${cell.generation}, ${cell.threads} threads${scanner}, repeat ${cell.repeat + 1}`;
}
