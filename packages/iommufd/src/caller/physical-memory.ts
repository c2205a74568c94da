// RAM: page frames that processes, memfds and devices share, each counted: by what maps it and by what pins it.
import { checkInteger, IommuError } from '@faultline/core/errors';
import { alignLine, checkRegion } from '@faultline/core/memory';
import { LINE, mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';
import type { FailPoint } from '../memory/index.ts';
import { PAGE_BYTES } from './user-memory.ts';

// Offsets in words, from the region's base.
//
//   name    offset  guarded by   meaning
//   LOCK    0       atomic       mutex: all below
//   FRAMES  1       constant     0: no memory was laid out here
//   FREE    2       LOCK         frames that nobody refers to
//   NEXT    3       LOCK         where to look for a free one
//   (LINE)  two words a frame, frames counting from 1:
//   REFS    0       LOCK         mappings and files
//   PINS    1       LOCK         pins: a frame with pins is not free, whoever has unmapped it
const LOCK = 0;
const FRAMES = 1;
const FREE = 2;
const NEXT = 3;
const REFS = 0;
const PINS = 1;
const FRAME_WORDS = 2;

/** Words that go with so many frames; their bytes stand in a buffer of their own. @throws IommuError EINVAL */
export function physicalMemoryWords(frames: number): number {
  checkInteger('physicalMemoryWords', 'frames', frames, 1, 2 ** 20);
  return alignLine(LINE + (frames + 1) * FRAME_WORDS);
}

/** Lays memory out over zeroed words, all frames free. @throws IommuError EINVAL */
export function initPhysicalMemory(words: Words, base: number, frames: number): void {
  checkRegion('initPhysicalMemory', words, base, physicalMemoryWords(frames));
  words[base + FRAMES] = frames;
  words[base + FREE] = frames;
  words[base + NEXT] = 1;
}

/** Frames of the largest page that physical memory is handed out in: 2 MiB. */
const HUGE_FRAMES = 512;

/** How a run of frames is aligned that is to be as few large pages as possible. */
export function hugeAlign(count: number): number {
  return Math.min(HUGE_FRAMES, 2 ** Math.floor(Math.log2(count)));
}

/** One thread's view of RAM. */
export class PhysicalMemory {
  readonly words: Words;
  readonly self: ThreadSelf;
  readonly frames: number;
  /** All bytes; frame f's begin at f * PAGE_BYTES. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly #base: number;
  readonly #fail: FailPoint;

  /** @param ram (frames + 1) * PAGE_BYTES: frame 0 is nothing. @throws IommuError EINVAL */
  constructor(words: Words, base: number, ram: SharedArrayBuffer, self: ThreadSelf, fail: FailPoint) {
    this.words = words;
    this.self = self;
    this.frames = words[base + FRAMES];
    this.bytes = new Uint8Array(ram);
    this.#base = base;
    this.#fail = fail;
    if (this.frames === 0)
      throw new IommuError('EINVAL', 'PhysicalMemory', 'base', base, 'no memory was laid out here');
    checkInteger('PhysicalMemory', 'ram.byteLength', ram.byteLength, (this.frames + 1) * PAGE_BYTES, 2 ** 40);
  }

  /** Takes a run of frames, zeroed, each with one reference. @param align frames that the first's number is a multiple of.
   * @returns the first, 0 when there is none. */
  alloc(count: number, align: number = 1): number {
    if (this.#fail.fails('page')) return 0;
    return this.#locked(() => {
      const { words, frames } = this;
      if (words[this.#base + FREE] < count) return 0;
      const next = words[this.#base + NEXT];
      const end = Math.min(next + count + align, frames);
      const first = this.#findRun(next, frames, count, align) || this.#findRun(1, end, count, align);
      if (first === 0) return 0;
      for (let frame = first; frame < first + count; frame++) words[this.#at(frame) + REFS] = 1;
      words[this.#base + FREE] -= count;
      words[this.#base + NEXT] = first + count > frames ? 1 : first + count;
      this.bytes.fill(0, first * PAGE_BYTES, (first + count) * PAGE_BYTES);
      return first;
    });
  }

  #findRun(from: number, to: number, count: number, align: number): number {
    let run = 0;
    for (let frame = from; frame <= to; frame++) {
      run = this.#isFree(frame) && (run > 0 || frame % align === 0) ? run + 1 : 0;
      if (run === count) return frame - count + 1;
    }
    return 0;
  }

  get(frame: number): void {
    this.#locked(() => this.words[this.#at(frame) + REFS]++);
  }

  /** Gives a reference up; a frame without references and pins is free. */
  put(frame: number): void {
    this.#drop(frame, REFS);
  }

  pin(frame: number): void {
    mutexLock(this.words, this.#base + LOCK, this.self);
    this.words[this.#at(frame) + PINS]++;
    mutexUnlock(this.words, this.#base + LOCK, this.self);
  }

  /** @throws IommuError EINVAL nobody pins it. */
  unpin(frame: number): void {
    this.#drop(frame, PINS);
  }

  refs(frame: number): number {
    return this.words[this.#at(frame) + REFS];
  }
  pins(frame: number): number {
    return this.words[this.#at(frame) + PINS];
  }

  /** Frames in use: those that nobody maps but somebody pins included. */
  used(): number {
    return this.#locked(() => this.frames - this.words[this.#base + FREE]);
  }

  /** Pins of all frames. */
  pinned(): number {
    return this.#locked(() => {
      let pins = 0;
      for (let frame = 1; frame <= this.frames; frame++) pins += this.words[this.#at(frame) + PINS];
      return pins;
    });
  }

  /** Copies a frame's bytes. */
  copy(from: number, to: number): void {
    this.bytes.copyWithin(to * PAGE_BYTES, from * PAGE_BYTES, (from + 1) * PAGE_BYTES);
  }

  #drop(frame: number, count: number): void {
    const at = this.#at(frame);
    mutexLock(this.words, this.#base + LOCK, this.self);
    try {
      if (this.words[at + count] === 0)
        throw new IommuError('EINVAL', 'PhysicalMemory', 'frame', frame, count === PINS ? 'is not pinned' : 'is free');
      this.words[at + count]--;
      if (this.#isFree(frame)) this.words[this.#base + FREE]++;
    } finally {
      mutexUnlock(this.words, this.#base + LOCK, this.self);
    }
  }

  #isFree(frame: number): boolean {
    const at = this.#at(frame);
    return this.words[at + REFS] === 0 && this.words[at + PINS] === 0;
  }

  #at(frame: number): number {
    return this.#base + LINE + frame * FRAME_WORDS;
  }

  #locked<T>(body: () => T): T {
    mutexLock(this.words, this.#base + LOCK, this.self);
    try {
      return body();
    } finally {
      mutexUnlock(this.words, this.#base + LOCK, this.self);
    }
  }
}
