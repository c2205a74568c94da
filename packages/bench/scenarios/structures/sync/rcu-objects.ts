// Two objects that readers find by number and an updater frees: what the grace-period scenarios protect.
import type { Context, Region, Words } from '@faultline/bench/explore';

const STRIDE = 4;
const USES = 0; // counted by who touches it; GONE once it was freed
const VALUE = 1; // plain: a use that is not ordered before the reuse is a race
const FREED = 2;
const REUSED = -1;
const GONE = -(2 ** 30);

/** Objects 1 to 4; 0 is nothing. */
export const OBJECTS: Region = { name: 'objects', words: 5 * STRIDE, stride: STRIDE, fields: { USES, VALUE, FREED } };

/** Uses an object that was found, plainly. */
export function use(words: Words, objects: number, object: number): void {
  const value = words[objects + object * STRIDE + VALUE];
  if (value !== 0) throw new Error(`object ${object} was reused under a reader: its value is ${value}`);
}

/** Uses an object that was found, as a step of its own: {@link guardFreed} tells when it comes too late. */
export function touch(words: Words, objects: number, object: number): void {
  Atomics.add(words, objects + object * STRIDE + USES, 1);
}

/** Frees an object, and writes to it as its next owner does. */
export function release(words: Words, objects: number, object: number): void {
  const at = objects + object * STRIDE;
  if (words[at + FREED] !== 0) throw new Error(`object ${object} was freed twice`);
  words[at + VALUE] = REUSED;
  words[at + FREED] = 1;
  Atomics.store(words, at + USES, GONE); // on the word that touch counts in, so that both orders of the two are explored
}

/** How many of the objects are freed. */
export function countFreed(words: Words, objects: number): number {
  return words[objects + STRIDE + FREED] + words[objects + 2 * STRIDE + FREED];
}

/** A guard: whoever touches a freed object uses it after it was freed. */
export function guardFreed({ words, at }: Context): (word: number) => string | undefined {
  const objects = at('objects');
  return (word) => {
    const object = Math.floor((word - objects) / STRIDE);
    if (word < objects || object > 4 || words[objects + object * STRIDE + USES] >= 0) return undefined;
    return `object ${object} was freed`;
  };
}
