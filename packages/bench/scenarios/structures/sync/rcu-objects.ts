// Two objects that readers find by number and an updater frees: what the grace-period scenarios protect.
import type { Context, Region, Words } from '@faultline/bench/explore';

const STRIDE = 4;
const USES = 0; // counted by who uses it, so that there is a step between the look-up and the use
const VALUE = 1; // plain: a use that is not ordered before the reuse is a race
const FREED = 2;
const REUSED = -1;

/** Objects 1 and 2; 0 is nothing. */
export const OBJECTS: Region = { name: 'objects', words: 3 * STRIDE, stride: STRIDE, fields: { USES, VALUE, FREED } };

/** Uses an object that was found. */
export function use(words: Words, objects: number, object: number): void {
  Atomics.add(words, objects + object * STRIDE + USES, 1);
  const value = words[objects + object * STRIDE + VALUE];
  if (value !== 0) throw new Error(`object ${object} was reused under a reader: its value is ${value}`);
}

/** Frees an object, and writes to it as its next owner does. */
export function release(words: Words, objects: number, object: number): void {
  const at = objects + object * STRIDE;
  if (words[at + FREED] !== 0) throw new Error(`object ${object} was freed twice`);
  words[at + VALUE] = REUSED;
  words[at + FREED] = 1;
}

/** How many of the objects are freed. */
export function countFreed(words: Words, objects: number): number {
  return words[objects + STRIDE + FREED] + words[objects + 2 * STRIDE + FREED];
}

/** A guard: touching a freed object is a use after free. */
export function guardFreed({ words, at }: Context): (word: number) => string | undefined {
  const objects = at('objects');
  return (word) => {
    const object = Math.floor((word - objects) / STRIDE);
    if (word < objects || object > 2 || words[objects + object * STRIDE + FREED] === 0) return undefined;
    return `object ${object} was freed`;
  };
}
