// Where a scenario's regions lie, and what their words are called.
import type { PlacedRegion, Region, Scenario, SharedMemory } from '../scenario.ts';

const LINE = 32;
const MAX_WORDS = 2 ** 22;

export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/** Gives each region its place, on lines of its own; the first line belongs to nothing. */
export function placeRegions(name: string, regions: readonly Region[]): { regions: PlacedRegion[]; words: number } {
  const placed: PlacedRegion[] = [];
  let base = LINE;
  for (const region of regions) {
    if (!Number.isInteger(region.words) || region.words < 1 || base + region.words > MAX_WORDS)
      throw new ScenarioError(`${name}: region '${region.name}' of ${region.words} words does not fit`);
    if (placed.some((other) => other.name === region.name))
      throw new ScenarioError(`${name}: two regions are named '${region.name}'`);
    placed.push({ ...region, base });
    base = Math.ceil((base + region.words) / LINE) * LINE;
  }
  return { regions: placed, words: base };
}

/** What a word is called in reports: `slab[2].META`, `counter`, `ring+33`. */
export function nameWord(shared: SharedMemory, word: number): string {
  const region = shared.regions.find(({ base, words }) => word >= base && word < base + words);
  if (region === undefined) return word < 0 ? '' : `word ${word}`;
  let offset = word - region.base;
  let name = region.name;
  if (region.stride !== undefined) {
    name = `${name}[${Math.floor(offset / region.stride)}]`;
    offset %= region.stride;
  }
  const field = Object.entries(region.fields ?? {}).find(([, at]) => at === offset);
  if (field !== undefined) return `${name}.${field[0]}`;
  return region.words === 1 ? name : `${name}+${offset}`;
}

/** Marks of a word: plain accesses to it race on purpose; it says whether an object may be touched. */
export const MARK_RACY = 1;
export const MARK_STATE = 2;

/** Marks the words that a scenario declares to be read or written plainly on purpose. A region that only other designs have is
 * passed over. */
export function markRacy(spec: Scenario['spec'], shared: SharedMemory, marks: Uint8Array): void {
  for (const { region: name, offsets } of spec.racy ?? []) {
    const region = shared.regions.find((each) => each.name === name);
    if (region === undefined && typeof spec.memory === 'function') continue;
    if (region === undefined) throw new ScenarioError(`${spec.name}: racy names no region of its memory: '${name}'`);
    const { base, words, stride } = region;
    for (let offset = 0; offset < words; offset++)
      if (offsets === undefined || offsets.includes(stride === undefined ? offset : offset % stride))
        marks[base + offset] |= MARK_RACY;
  }
}
