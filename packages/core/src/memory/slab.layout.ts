// One slab's shared words: a header, a four-word record an object, then the objects. Objects are 1..capacity, 0 is nothing.
import { LINE } from '../sync/thread-self.ts';
import { defineLayout, type Layout } from './layout.ts';

export const CAPACITY = 0;
export const OBJECT_WORDS = 1;
export const HEAD: number = LINE; // tag << 16 | first object of the top chain
export const FRESH: number = 2 * LINE; // objects 1..FRESH have been handed out at least once
export const RECORDS: number = 3 * LINE;

// An object's record. META says who may touch the rest: see Ordering in slab-cache.ts.
export const META = 0; // generation << 2 | OBJECT_*
export const FREED_BY = 1; // thread that freed it last, with POISONED
export const LINK = 2; // next object of the same chain, 0 at its end
export const NEXT_CHAIN = 3; // first object of the chain below; meaningful in a chain's first object
export const RECORD_WORDS = 4;

/** Object states, the low bits of META. */
export const OBJECT_FREE = 0;
export const OBJECT_LIVE = 1;
/** Unlinked, and waiting for those who may still read it. */
export const OBJECT_GRACE = 2;
export const STATE_MASK = 3;
export const GENERATION_SHIFT = 2;

/** FREED_BY bit: the object was filled with POISON when freed. */
export const POISONED: number = 1 << 30;
/** What a freed object holds in checked runs. */
export const POISON = 0x6b6b6b6b;

export const INDEX_BITS = 16;
export const INDEX_MASK = 0xffff;

/** A slab of `capacity` objects, as a table. */
export function slabLayout(capacity: number, objectWords: number): Layout {
  const objects = objectsOffset(capacity);
  return defineLayout('slab', [
    { name: 'CAPACITY', offset: 0, width: 1, unit: 'objects', writer: 'init' },
    { name: 'OBJECT_WORDS', offset: 1, width: 1, unit: 'words', writer: 'init' },
    { name: 'HEAD', offset: 32, width: 1, unit: 'tag << 16 | object', writer: 'any cache, by compare-exchange' },
    { name: 'FRESH', offset: 64, width: 1, unit: 'objects', writer: 'any cache, by compare-exchange (FRESH)' },
    {
      name: 'RECORDS',
      offset: 96,
      width: (capacity + 1) * 4,
      unit: '4 words an object',
      writer: "the object's holder",
    },
    {
      name: 'OBJECTS',
      offset: objects,
      width: (capacity + 1) * objectWords,
      unit: 'objects',
      writer: 'whoever allocated',
    },
  ]);
}

/** Word offset of object 0, which is never handed out: a stray access to nothing stays off the records. */
export function objectsOffset(capacity: number): number {
  return Math.ceil((RECORDS + (capacity + 1) * RECORD_WORDS) / LINE) * LINE;
}
