// Where a scenario's regions lie, and what their words are called.
import type { PlacedRegion, Region, Scenario, SharedMemory, WideWords, Words } from '../scenario.ts';

const LINE = 32;
const MAX_WORDS = 2 ** 22;

export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/** Both memories of a scenario. A word's location is its offset; for a wide word, that plus how many 32-bit words there are. */
export interface Memories {
  readonly shared: SharedMemory;
  readonly wide: SharedMemory;
}

/** What is in them, or was. */
export interface Contents {
  readonly words: Words;
  readonly wide: WideWords;
}

/** Zeroed memory for all regions. */
export function allocMemories(name: string, regions: readonly Region[]): Memories {
  const twice = regions.find((region, i) => regions.findIndex((other) => other.name === region.name) < i);
  if (twice !== undefined) throw new ScenarioError(`${name}: two regions are named '${twice.name}'`);
  const isWide = (region: Region): boolean => region.wide === true;
  const narrow = regions.filter((region) => !isWide(region));
  return { shared: alloc(name, narrow, 4), wide: alloc(name, regions.filter(isWide), 8) };
}

/** Gives each region its place, on lines of its own; the first line belongs to nothing. */
function alloc(name: string, regions: readonly Region[], wordBytes: number): SharedMemory {
  const placed: PlacedRegion[] = [];
  let base = LINE;
  for (const region of regions) {
    if (!Number.isInteger(region.words) || region.words < 1 || base + region.words > MAX_WORDS)
      throw new ScenarioError(`${name}: region '${region.name}' of ${region.words} words does not fit`);
    placed.push({ ...region, base });
    base = Math.ceil((base + region.words) / LINE) * LINE;
  }
  const words = wordBytes === 8 && regions.length === 0 ? 0 : base;
  return { buffer: new SharedArrayBuffer(words * wordBytes), regions: placed };
}

export function contentsOf({ shared, wide }: Memories): Contents {
  return { words: new Int32Array(shared.buffer), wide: new BigInt64Array(wide.buffer) };
}

/** Room to keep them in. */
export function allocContents({ shared, wide }: Memories): Contents {
  const { byteLength } = shared.buffer;
  return {
    words: new Int32Array(new SharedArrayBuffer(byteLength)),
    wide: new BigInt64Array(new SharedArrayBuffer(wide.buffer.byteLength)),
  };
}

export function copyContents(from: Contents, to: Contents): void {
  to.words.set(from.words);
  if (from.wide.length > 0) to.wide.set(from.wide);
}

/** Finds regions by name. @throws Error naming the region that is not there. */
export function regionFinder(name: string, { shared, wide }: Memories): (region: string) => number {
  const places = new Map([...shared.regions, ...wide.regions].map((region) => [region.name, region.base]));
  return (region) => {
    const base = places.get(region);
    if (base === undefined) throw new Error(`${name}: no region '${region}' in its memory`);
    return base;
  };
}

/** What the word at a location is called in reports: `slab[2].META`, `counter`, `ring+33`. */
export function nameWord({ shared, wide }: Memories, loc: number): string {
  const words = shared.buffer.byteLength / 4;
  return loc < words ? nameIn(shared, loc, 'word') : nameIn(wide, loc - words, 'wide word');
}

function nameIn({ regions }: SharedMemory, word: number, other: string): string {
  const region = regions.find(({ base, words }) => word >= base && word < base + words);
  if (region === undefined) return word < 0 ? '' : `${other} ${word}`;
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
export function markRacy(spec: Scenario['spec'], { shared, wide }: Memories, marks: Uint8Array): void {
  for (const { region: name, offsets } of spec.racy ?? []) {
    const region = [...shared.regions, ...wide.regions].find((each) => each.name === name);
    if (region === undefined && typeof spec.memory === 'function') continue;
    if (region === undefined) throw new ScenarioError(`${spec.name}: racy names no region of its memory: '${name}'`);
    const { words, stride } = region;
    const base = region.base + (region.wide === true ? shared.buffer.byteLength / 4 : 0);
    for (let offset = 0; offset < words; offset++)
      if (offsets === undefined || offsets.includes(stride === undefined ? offset : offset % stride))
        marks[base + offset] |= MARK_RACY;
  }
}
