// Which scenarios and designs a command line names.
import { designsOf } from '../../explore/scenario.ts';
import { UsageError } from '../request.ts';
import type { Found } from './types.ts';

/** A scenario and one of its designs. */
export interface Chosen {
  readonly found: Found;
  readonly design: string;
}

/** @param names whole names, beginnings of names, or patterns in which `*` stands for anything. None: all scenarios.
 * @returns the scenarios in their order, each once.
 * @throws UsageError naming what fits no scenario. */
export function selectScenarios(all: readonly Found[], names: readonly string[]): Found[] {
  const fitting = new Set<Found>();
  for (const name of names) {
    const fits = all.filter(({ scenario }) => matcher(name, all)(scenario.spec.name));
    if (fits.length === 0)
      throw new UsageError(`no scenario is named ${JSON.stringify(name)}: faultline explore --list names them`);
    for (const each of fits) fitting.add(each);
  }
  return names.length === 0 ? [...all] : all.filter((each) => fitting.has(each));
}

function matcher(name: string, all: readonly Found[]): (candidate: string) => boolean {
  if (all.some(({ scenario }) => scenario.spec.name === name)) return (candidate) => candidate === name;
  if (!name.includes('*')) return (candidate) => candidate.startsWith(name);
  const literal = name.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(`^${literal.join('.*')}$`, 's');
  return (candidate) => pattern.test(candidate);
}

/** @param design undefined for all designs.
 * @throws UsageError if none of the scenarios has that design, naming those there are. */
export function selectDesigns(scenarios: readonly Found[], design: string | undefined): Chosen[] {
  const chosen = scenarios.flatMap((found) =>
    Object.keys(designsOf(found.scenario.spec))
      .filter((name) => design === undefined || name === design)
      .map((name) => ({ found, design: name })),
  );
  if (chosen.length > 0) return chosen;
  const known = new Set(scenarios.flatMap(({ scenario }) => Object.keys(designsOf(scenario.spec))));
  const list = [...known].map((name) => JSON.stringify(name)).join(', ');
  throw new UsageError(`--design = ${JSON.stringify(design)}: must be one of ${list}`);
}
