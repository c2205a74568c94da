// The arena: all shared memory of a system, one buffer of named regions. Planned once, made by one thread, opened by the others.
import { checkInteger, IommuError } from '../errors/index.ts';
import { LINE, type Words } from '../sync/thread-self.ts';
import { alignLine } from './region.ts';

/** Word offsets stay small integers in V8, also where pointers are compressed. */
const MAX_WORDS = 2 ** 30 - 1;

/** What a region is to be: a name and its size in words. */
export interface RegionSpec {
  readonly name: string;
  readonly words: number;
}

/** Where a region is: `base` in words from the arena's start, a multiple of LINE. */
export interface Region extends RegionSpec {
  readonly base: number;
}

export interface ArenaPlan {
  readonly regions: readonly Region[];
  readonly totalWords: number;
}

/** An arena as it travels to another thread (structured clone; the memory is shared, not copied). */
export interface SharedArena {
  readonly buffer: SharedArrayBuffer;
  readonly regions: readonly Region[];
}

/** Gives each region its place, on lines of its own. The first line stays unused, so that offset 0 is nothing.
 * @throws IommuError EINVAL naming the region that is empty, unnamed, named twice, or past 2^30 words. */
export function planArena(regions: readonly RegionSpec[]): ArenaPlan {
  const placed: Region[] = [];
  const names = new Set<string>();
  let base = LINE;
  for (const { name, words } of regions) {
    if (name === '') throw new IommuError('EINVAL', 'planArena', 'name', name, 'a region needs a name');
    if (names.has(name)) throw new IommuError('EINVAL', 'planArena', 'name', name, 'names two regions');
    checkInteger('planArena', `${name}.words`, words, 1, MAX_WORDS - base);
    names.add(name);
    placed.push({ name, base, words });
    base = alignLine(base + words);
  }
  return { regions: placed, totalWords: base };
}

/** One SharedArrayBuffer with named regions. */
export class Arena {
  readonly words: Words;
  readonly #regions: ReadonlyMap<string, Region>;

  private constructor(words: Words, regions: readonly Region[]) {
    this.words = words;
    this.#regions = new Map(regions.map((region) => [region.name, region]));
  }

  /** Allocates the planned memory, all zero. */
  static create(plan: ArenaPlan): Arena {
    return new Arena(new Int32Array(new SharedArrayBuffer(plan.totalWords * 4)), plan.regions);
  }

  /** Opens what another thread shared. @throws IommuError EINVAL when it is not an arena, or a region lies outside it. */
  static open(shared: SharedArena): Arena {
    if (!(shared.buffer instanceof SharedArrayBuffer))
      throw new IommuError('EINVAL', 'Arena.open', 'buffer', typeof shared.buffer, 'must be a SharedArrayBuffer');
    const words = new Int32Array(shared.buffer);
    for (const { name, base, words: size } of shared.regions)
      if (base + size > words.length)
        throw new IommuError('EINVAL', 'Arena.open', name, base, `${size} words do not fit into ${words.length}`);
    return new Arena(words, shared.regions);
  }

  /** What to hand to another thread. */
  share(): SharedArena {
    return { buffer: this.words.buffer, regions: [...this.#regions.values()] };
  }

  /** Word offset of a region. @throws IommuError ENOENT */
  base(name: string): number {
    return this.#region('Arena.base', name).base;
  }

  /** Size of a region as it was asked for, in words. @throws IommuError ENOENT */
  sizeWords(name: string): number {
    return this.#region('Arena.sizeWords', name).words;
  }

  #region(call: string, name: string): Region {
    const region = this.#regions.get(name);
    if (region === undefined)
      throw new IommuError(
        'ENOENT',
        call,
        'name',
        name,
        `no such region among ${[...this.#regions.keys()].join(', ')}`,
      );
    return region;
  }
}
