// What a reader must know before believing a comparison: that the two were not measured alike, or not often enough to tell.
import { chanceOf } from './bootstrap.ts';
import type { ComparedCell } from './compare.ts';
import type { Measured } from './measured.ts';

/** Where it differs, figures are of two machines or two runtimes. `memoryBytes` and `release` rarely matter, and are told all the same. */
const ENVIRONMENT = ['cpuModel', 'cpus', 'memoryBytes', 'platform', 'arch', 'release', 'node', 'v8'] as const;

export function describeDifferences(before: Measured, after: Measured, cells: readonly ComparedCell[]): string[] {
  const warnings = [...before.warnings, ...after.warnings];
  for (const field of ENVIRONMENT)
    if (before.environment[field] !== after.environment[field])
      warnings.push(`environment differs: ${field} ${before.environment[field]} → ${after.environment[field]}`);
  const [a, b]: Readonly<Record<string, unknown>>[] = [{ ...before.parameters }, { ...after.parameters }];
  for (const field of new Set([...Object.keys(a), ...Object.keys(b)]))
    if (JSON.stringify(a[field]) !== JSON.stringify(b[field]))
      warnings.push(`parameters differ: ${field} ${show(a[field])} → ${show(b[field])}`);
  return [...warnings, ...describeRepeats(cells)];
}

function show(value: unknown): string {
  return value === undefined ? 'not set' : JSON.stringify(value);
}

function describeRepeats(cells: readonly ComparedCell[]): string[] {
  const warnings: string[] = [];
  const missing = cells.filter(({ figures }) => figures.length === 0).length;
  if (missing > 0) warnings.push(`${missing} of ${cells.length} cells are in one file alone`);
  const both = cells.filter(({ figures }) => figures.length > 0);
  const single = both.filter(({ figures }) => figures.some((each) => each.interval === undefined && hasSingle(each)));
  if (single.length > 0)
    warnings.push(
      `${single.length} of ${both.length} cells have one repeat on a side, and no interval: a change is noise unless --noise says ` +
        'how much is, or the ranges that a file of bench keeps lie apart',
    );
  const pairs = new Set(
    both.flatMap(({ figures }) => figures.map((each) => `${each.before.repeats} ${each.after.repeats}`)),
  );
  for (const pair of pairs) {
    const [n, m] = pair.split(' ').map(Number);
    const chance = chanceOf(n, m);
    if (n > 1 && m > 1 && chance > 0.05)
      warnings.push(
        `${n} and ${m} repeats: one figure in ${Math.floor(1 / chance)} looks different where nothing is; 5 on each side are enough`,
      );
  }
  return warnings;
}

function hasSingle({ before, after }: ComparedCell['figures'][number]): boolean {
  return before.repeats === 1 || after.repeats === 1;
}
