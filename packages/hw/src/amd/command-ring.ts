import type { Words } from '@faultline/core/sync';
import { COMMAND_WORDS } from './commands.ts';
import { AMD_CMD_BASE, AMD_CMD_HEAD, AMD_CMD_PARKED, AMD_CMD_STARTS, AMD_CMD_TAIL, AMD_STATUS } from './layout.ts';
import { baseEntries, baseWordAt, CONTROL_CMDBUF_EN, CONTROL_IOMMU_EN, STATUS_CMD_RUN } from './registers.ts';

// The hardware's end of the command buffer. HEAD and TAIL are byte offsets; equal is empty, and one entry stays unused.
//
// A command that cannot be taken stops the buffer: HEAD stays at it and RUN goes. It is fetched again when software has written the enable
// bit 0, then 1.
//
// Ordering. Entries are plain.
//   [P] CommandBuffer: entries, then TAIL            pairs with  [C] look: TAIL, then entries
//   [R] release: entries and effects, then HEAD      pairs with  [F] CommandBuffer: HEAD, then entries overwritten
//   [W] release: HEAD, then PARKED                   pairs with  CommandBuffer waiting for room: PARKED, then HEAD (compared in Atomics.wait)

const COMMAND_BYTES = COMMAND_WORDS * 4;

/** No command. Offset 0 is never one. */
export const NO_COMMAND = 0;

export class CommandRing {
  readonly #words: Words;
  readonly #base: number;
  #ring = 0; // word offset of the first entry
  #mask = 0; // bytes of the buffer, less one
  #head = 0;
  #tail = 0; // TAIL when last looked at
  #released = 0; // HEAD, which no one else writes while the buffer runs
  #running = false;
  #stopped = false; // an error stopped the buffer, and it has not been started since
  #starts = 0; // starts seen

  constructor(words: Words, base: number) {
    this.#words = words;
    this.#base = base;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Acts upon CONTROL: starts, stops, or goes on. */
  control(control: number): void {
    const starts = Atomics.load(this.#words, this.#base + AMD_CMD_STARTS);
    if (starts !== this.#starts) this.#stopped = false;
    this.#starts = starts;
    const on = (control & CONTROL_IOMMU_EN) !== 0 && (control & CONTROL_CMDBUF_EN) !== 0 && !this.#stopped;
    if (on && !this.#running) this.#start();
    else if (!on && this.#running) this.stop();
  }

  /** Reads TAIL afresh. It is software's, and may be nonsense: it is taken modulo the buffer, on a command. @returns whether there are any */
  look(): boolean {
    if (!this.#running) return false;
    this.#tail = Atomics.load(this.#words, this.#base + AMD_CMD_TAIL) & this.#mask & -COMMAND_BYTES; // [C]
    return this.#head !== this.#tail;
  }

  /** @returns word offset of the next command that {@link look} saw, or NO_COMMAND. */
  peek(): number {
    return this.#head === this.#tail ? NO_COMMAND : this.#ring + (this.#head >>> 2);
  }

  /** Steps over it. */
  next(): void {
    this.#head = (this.#head + COMMAND_BYTES) & this.#mask;
  }

  /** Gives back all commands stepped over, with one store; wakes whoever waits for room. */
  release(): void {
    if (this.#head === this.#released) return;
    this.#released = this.#head;
    Atomics.store(this.#words, this.#base + AMD_CMD_HEAD, this.#head); // [R] [W]
    this.#wake();
  }

  /** The command at the head cannot be taken. */
  fail(): void {
    this.#stopped = true;
    this.release(); // HEAD stands at it before RUN is gone
    this.stop();
  }

  /** Nothing more is consumed. Who waits for room looks for errors. */
  stop(): void {
    this.#running = false;
    Atomics.and(this.#words, this.#base + AMD_STATUS, ~STATUS_CMD_RUN);
    this.#wake();
  }

  #wake(): void {
    if (Atomics.load(this.#words, this.#base + AMD_CMD_PARKED) !== 0)
      Atomics.notify(this.#words, this.#base + AMD_CMD_HEAD); // [W]
  }

  /** A reserved length, or a buffer outside memory, does not start. */
  #start(): void {
    const entries = baseEntries(this.#words, this.#base + AMD_CMD_BASE);
    const ring = baseWordAt(this.#words, this.#base + AMD_CMD_BASE);
    if (entries === 0 || ring === 0 || ring + entries * COMMAND_WORDS > this.#words.length) return;
    this.#ring = ring;
    this.#mask = entries * COMMAND_BYTES - 1;
    this.#head = this.#released = Atomics.load(this.#words, this.#base + AMD_CMD_HEAD) & this.#mask & -COMMAND_BYTES;
    this.#tail = this.#head;
    this.#running = true;
    Atomics.or(this.#words, this.#base + AMD_STATUS, STATUS_CMD_RUN);
  }
}
