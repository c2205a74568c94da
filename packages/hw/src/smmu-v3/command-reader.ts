import type { Words } from '@faultline/core/sync';
import { queueAdvance, queueIndex, queueSlot, queueUsed } from '../queue/index.ts';
import { COMMAND_WORDS } from './commands.ts';
import { CMDQ_CONS, CMDQ_ENTRIES, CMDQ_PARKED, CMDQ_PROD, commandQueueBase, SMMU_CMDQ_LOG2 } from './layout.ts';
import { CMDQ_ERR_FLAG } from './registers.ts';

// The hardware's end of one command queue.
//
// Ordering. Entries are plain.
//   [P] SmmuOps: entries, then PROD              pairs with  [C] available: PROD, then entries
//   [A] SmmuOps: PROD, then the announce bit     pairs with  CommandUnit: the announce bit taken, then PROD
//   [R] release: entries and effects, then CONS  pairs with  [F] SmmuOps: CONS, then entries overwritten
//   [W] release: CONS, then PARKED               pairs with  SmmuOps waiting for space: PARKED, then CONS (compared inside Atomics.wait)

export class CommandReader {
  readonly #words: Words;
  readonly #prodAt: number;
  readonly #consAt: number;
  readonly #parkedAt: number;
  readonly #entries: number;
  readonly #log2: number;
  #cons: number; // index and wrap of what is consumed
  #released: number; // index and wrap in CONS
  #error: number; // error flag and reason as in CONS

  constructor(words: Words, base: number, queue: number) {
    const at = commandQueueBase(words, base, queue);
    this.#words = words;
    this.#prodAt = at + CMDQ_PROD;
    this.#consAt = at + CMDQ_CONS;
    this.#parkedAt = at + CMDQ_PARKED;
    this.#entries = at + CMDQ_ENTRIES;
    this.#log2 = words[base + SMMU_CMDQ_LOG2];
    const cons = Atomics.load(words, this.#consAt);
    this.#cons = this.#released = queueIndex(cons, this.#log2);
    this.#error = cons & ~this.#cons;
  }

  /** Commands that may be consumed: none while an error is not acknowledged, or PROD makes no sense. */
  available(): number {
    const prod = Atomics.load(this.#words, this.#prodAt); // [C]
    if (((prod ^ this.#error) & CMDQ_ERR_FLAG) !== 0) return 0;
    return queueUsed(prod, this.#cons, this.#log2);
  }

  /** Whether the queue stands at an error that is not acknowledged. */
  stopped(): boolean {
    return ((Atomics.load(this.#words, this.#prodAt) ^ this.#error) & CMDQ_ERR_FLAG) !== 0;
  }

  /** Word offset of the `i`th command of those that are {@link available}. */
  at(i: number): number {
    return this.#entries + queueSlot(this.#cons + i, this.#log2) * COMMAND_WORDS;
  }

  /** Steps over `count` commands. */
  skip(count: number): void {
    this.#cons = queueAdvance(this.#cons, count, this.#log2);
  }

  /** Tells the issuer, with one store, what was stepped over. */
  release(): void {
    if (this.#cons === this.#released) return;
    this.#released = this.#cons;
    this.#store();
  }

  /** Stops at the next command: earlier ones are done, this one and later ones are not begun. */
  stop(reason: number): void {
    this.#error = ((this.#error ^ CMDQ_ERR_FLAG) & CMDQ_ERR_FLAG) | reason;
    this.#released = this.#cons;
    this.#store();
  }

  /** CMD_SYNC with CS = SEV: the issuer may be waiting for any change of CONS. */
  signal(): void {
    this.release();
    Atomics.notify(this.#words, this.#consAt);
  }

  #store(): void {
    Atomics.store(this.#words, this.#consAt, this.#cons | this.#error); // [R] [W]
    if (Atomics.load(this.#words, this.#parkedAt) !== 0) Atomics.notify(this.#words, this.#consAt); // [W]
  }
}
