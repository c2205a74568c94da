// What copies of kernel code stand on: kmalloc and kfree over a slab of core's, a linked list, and a device that is owed answers.
import { balance, type CheckContext, type Context, type Region } from '@faultline/bench/explore';
import { initSlab, layoutOffset, OBJECT_FREE, Slab, SlabCache, slabLayout, slabWords } from '@faultline/core/memory';
import type { ThreadSelf, Words } from '@faultline/core/sync';

/** Names of words, by offset. */
export type Fields = Readonly<Record<string, number>>;

const OBJECTS = 12;
const OBJECT_WORDS = 16;
/** Of a slab's record of an object; its first word says whether the object is free (slabLayout). */
const RECORD_WORDS = 4;
const GROUPS = 4;
const END = -1;

/** The regions of a copy. `shared`: words that are always there, such as locks and the pointers that objects are found by.
 * `objects`: what setup allocates, in that order, so that reports name it. */
export function kernelMemory(shared: Fields, objects: Readonly<Record<string, Fields>>): readonly Region[] {
  const names: Record<string, number> = {};
  Object.entries(objects).forEach(([object, fields], i) => {
    for (const [field, offset] of Object.entries(fields)) names[`${object}.${field}`] = heapOffset(i + 1, offset);
  });
  return [
    { name: 'shared', words: Math.max(...Object.values(shared)) + 1, fields: shared },
    { name: 'answers', words: GROUPS, fields: { GROUP_1: 1, GROUP_2: 2, GROUP_3: 3 } },
    { name: 'heap', words: slabWords(OBJECTS, OBJECT_WORDS), fields: names },
  ];
}

/** Offset within region `heap` of a word of the nth object that setup allocates, from 1. */
export function heapOffset(nth: number, word: number): number {
  return layoutOffset(slabLayout(OBJECTS, OBJECT_WORDS), 'OBJECTS') + nth * OBJECT_WORDS + word;
}

/** One thread's view. Pointers are word offsets, 0 is null. */
export class Kernel {
  readonly words: Words;
  readonly self: ThreadSelf;
  readonly #heap: Slab;
  readonly #cache: SlabCache;
  readonly #shared: number;
  readonly #answers: number;

  constructor(context: Context, self: ThreadSelf) {
    this.words = context.words;
    this.self = self;
    this.#heap = new Slab(this.words, context.at('heap'));
    this.#cache = new SlabCache(this.#heap, self, { batch: 2, checked: false });
    this.#shared = context.at('shared');
    this.#answers = context.at('answers');
  }

  /** For `setup`: an empty heap, and whatever `prepare` puts there. */
  static setup(context: Context, prepare: (kernel: Kernel) => void): void {
    initSlab(context.words, context.at('heap'), OBJECTS, OBJECT_WORDS);
    const kernel = new Kernel(context, { id: 1, spins: 0 });
    prepare(kernel);
    kernel.#cache.flush();
  }

  /** Word offset of a word of region `shared`. */
  shared(field: number): number {
    return this.#shared + field;
  }

  /** A fresh object, all zero. */
  alloc(): number {
    const index = this.#cache.alloc();
    if (index === 0) throw new Error('the heap of this scenario is too small');
    const pointer = this.#heap.at(index);
    this.words.fill(0, pointer, pointer + OBJECT_WORDS);
    return pointer;
  }

  /** kfree(). Its first step is on the word that {@link heapGuard} reads, so that it is tried before and after every access to
   * the object: the slab itself, unchecked, would write that word plainly. */
  free(pointer: number): void {
    const index = (pointer - this.#heap.objects) / OBJECT_WORDS;
    Atomics.or(this.words, this.#heap.records + index * RECORD_WORDS, 0);
    this.#cache.free(index);
  }

  /** The device gets its answer for a group, 1 to 3. */
  answer(group: number): void {
    Atomics.add(this.words, this.#answers + group, 1);
  }

  answersTo(group: number): number {
    return Atomics.load(this.words, this.#answers + group);
  }
}

/** A list of objects, oldest first, linked by one word of each: 0 in one that is on no list. `head` is a word offset.
 * Context: the list's lock, but for {@link isEmpty}: heads are atomic, as list_empty() is asked without the lock too. */
export class List {
  readonly #words: Words;
  readonly #link: number;

  constructor({ words }: Kernel, link: number) {
    this.#words = words;
    this.#link = link;
  }

  isEmpty(head: number): boolean {
    return Atomics.load(this.#words, head) === 0;
  }
  isLinked(pointer: number): boolean {
    return this.#words[pointer + this.#link] !== 0;
  }
  /** What is on the list, as an array: it may be changed while that is walked. */
  all(head: number): number[] {
    const found: number[] = [];
    for (let at = Atomics.load(this.#words, head); at > 0; at = this.#words[at + this.#link]) found.push(at);
    return found;
  }
  append(head: number, pointer: number): void {
    const last = this.all(head).at(-1);
    this.#words[pointer + this.#link] = END;
    if (last === undefined) Atomics.store(this.#words, head, pointer);
    else this.#words[last + this.#link] = pointer;
  }
  /** Takes an object off the list, where it is. */
  remove(head: number, pointer: number): void {
    const all = this.all(head);
    const place = all.indexOf(pointer);
    const next = this.#words[pointer + this.#link];
    if (place === 0) Atomics.store(this.#words, head, Math.max(next, 0));
    else this.#words[all[place - 1] + this.#link] = next;
    this.#words[pointer + this.#link] = 0;
  }
  /** Takes the oldest object off the list, 0 when there is none. */
  shift(head: number): number {
    const first = Atomics.load(this.#words, head);
    if (first !== 0) this.remove(head, first);
    return first;
  }
}

/** For `guard`: nobody touches an object after kfree. */
export function heapGuard(context: Context): (word: number) => string | undefined {
  const heap = new Slab(context.words, context.at('heap'));
  return (word) => {
    const index = Math.floor((word - heap.objects) / OBJECT_WORDS);
    if (index < 1 || index > OBJECTS || heap.state(index) !== OBJECT_FREE) return undefined;
    return `allocation ${index}: ${heap.describe(index)}`;
  };
}

/** For `check`: the device has exactly one answer for each of these groups. */
export function expectAnswered({ words, at }: CheckContext, ...groups: number[]): void {
  for (const group of groups) {
    const count = Atomics.load(words, at('answers') + group);
    if (count === 0) throw new Error(`group ${group} was never answered: its device waits for ever`);
    if (count > 1) throw new Error(`group ${group} was answered ${count} times`);
  }
}

/** For `check`: everything was freed but `left` objects. */
export function expectFreed({ words, at }: CheckContext, left: number): void {
  balance({ 'objects in use at the end': [new Slab(words, at('heap')).live(), left] });
}
