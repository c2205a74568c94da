import type { Doorbell, Words } from '@faultline/core/sync';
import { AMD_STATS, AMD_STATUS } from './layout.ts';
import type { LogSpec } from './log-specs.ts';
import { RECORD_WORDS } from './records.ts';
import { baseEntries, baseWordAt, CONTROL_IOMMU_EN } from './registers.ts';
import { STAT_INTERRUPTS } from './stats.ts';

// The hardware's end of a log: the PPR log and the event log work alike. HEAD and TAIL are byte offsets; equal is empty, and one entry
// stays unused so that full is something else.
//
// A log that has no entry for what comes is overflowed: RUN goes, the overflow bit comes, and nothing is logged, whatever room there is,
// until software has cleared the bit and written the enable bit 0, then 1. In that order: VirtualBox and NOVA have the start of the event log
// clear its bit by itself, Linux clears it first; software that works here works with either, and no overflow goes by unseen.
//
// Ordering. Entries are plain, but for the word with the type where an entry is late (RequestRecorder).
//   [P] publish: entries, then TAIL                    pairs with  [C] LogReader: TAIL, then entries
//   [T] a late entry, its type last                    pairs with      LogReader: the type, then the rest
//   [R] LogReader: the entry zeroed, then HEAD         pairs with  [F] reserve: HEAD, then entries overwritten
//   [I] publish: TAIL, then the interrupt bit          pairs with  [E] event pump: interrupt bit cleared, then TAIL
// [I] and [E] are store-then-load on both sides. The interrupt is raised only when its bit goes from 0 to 1: if the hardware finds it set,
// the pump has yet to clear it, and reads TAIL after that. So no entry is left without a reader.

const ENTRY_BYTES = RECORD_WORDS * 4;

export class LogWriter {
  readonly #words: Words;
  readonly #base: number;
  readonly #spec: LogSpec;
  readonly #irq: Doorbell;
  #ring = 0; // word offset of the first entry
  #mask = 0; // bytes of the ring, less one
  #tail = 0; // byte offset, claimed entries included
  #published = 0; // TAIL, which no one else writes while the log runs
  #headSeen = 0; // HEAD when last read: read again only when the log looks full
  #running = false;
  #interrupts = false;
  #starts = 0; // starts seen
  #stopped = false; // an overflow stopped the log, and it has not been started since

  constructor(words: Words, base: number, spec: LogSpec, irq: Doorbell) {
    this.#words = words;
    this.#base = base;
    this.#spec = spec;
    this.#irq = irq;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Acts upon CONTROL: starts, stops, or goes on. */
  control(control: number): void {
    const { startsAt, enable, run, overflow, interrupt, interruptEnable } = this.#spec;
    const starts = Atomics.load(this.#words, startsAt);
    const status = Atomics.load(this.#words, this.#base + AMD_STATUS);
    if (starts !== this.#starts) this.#stopped = false;
    this.#starts = starts;
    const on =
      (control & CONTROL_IOMMU_EN) !== 0 && (control & enable) !== 0 && !this.#stopped && (status & overflow) === 0;
    if (on && !this.#running) this.#start();
    else if (!on && this.#running) this.#stop();
    const interrupts = (control & interruptEnable) !== 0;
    if (interrupts && !this.#interrupts && (status & (interrupt | overflow)) !== 0) this.#raise();
    this.#interrupts = interrupts;
    if (this.#running !== ((status & run) !== 0)) this.#showRunning();
  }

  /** @returns whether an entry can be claimed. */
  reserve(): boolean {
    if (!this.#running) return false;
    const next = (this.#tail + ENTRY_BYTES) & this.#mask;
    if (next === this.#headSeen) this.#headSeen = this.#head(); // [F]
    return next !== this.#headSeen;
  }

  /** Entries that software has not taken, looking afresh. */
  used(): number {
    this.#headSeen = this.#head(); // [F]
    return ((this.#tail - this.#headSeen) & this.#mask) / ENTRY_BYTES;
  }

  /** @returns word offset of the entry that {@link reserve} promised. */
  claim(): number {
    const at = this.#ring + (this.#tail >>> 2);
    this.#tail = (this.#tail + ENTRY_BYTES) & this.#mask;
    return at;
  }

  /** One store for all claimed entries, and an interrupt unless one is on its way. */
  publish(): void {
    if (this.#tail === this.#published) return;
    this.#published = this.#tail;
    Atomics.store(this.#words, this.#spec.tailAt, this.#tail); // [P] [I]
    this.set(this.#spec.interrupt);
  }

  /** What came found no entry. The log stops; RUN is gone before the overflow is there to be seen, so that whoever sees it restarts. */
  overflow(): void {
    this.publish(); // an overflow must not be seen before the full log is
    this.#stopped = true;
    this.#running = false;
    this.#showRunning();
    this.set(this.#spec.overflow);
  }

  /** Sets a bit of STATUS; an interrupt if it was clear and interrupts are on. @returns whether it was clear. */
  set(bit: number): boolean {
    const was = Atomics.or(this.#words, this.#base + AMD_STATUS, bit); // [I]
    if ((was & bit) !== 0) return false;
    if (this.#interrupts) this.#raise();
    return true;
  }

  #raise(): void {
    this.#words[this.#base + AMD_STATS + STAT_INTERRUPTS]++;
    this.#irq.ring();
  }

  /** HEAD is software's, and may be nonsense: it is taken modulo the ring, on an entry. */
  #head(): number {
    return Atomics.load(this.#words, this.#spec.headAt) & this.#mask & -ENTRY_BYTES;
  }

  /** A reserved length, or a ring outside memory, does not start. */
  #start(): void {
    const entries = baseEntries(this.#words, this.#spec.baseAt);
    const ring = baseWordAt(this.#words, this.#spec.baseAt);
    if (entries === 0 || ring === 0 || ring + entries * RECORD_WORDS > this.#words.length) return;
    this.#ring = ring;
    this.#mask = entries * ENTRY_BYTES - 1;
    this.#tail = this.#published = Atomics.load(this.#words, this.#spec.tailAt) & this.#mask & -ENTRY_BYTES;
    this.#headSeen = this.#head();
    this.#running = true;
  }

  #stop(): void {
    this.publish();
    this.#running = false;
  }

  #showRunning(): void {
    if (this.#running) Atomics.or(this.#words, this.#base + AMD_STATUS, this.#spec.run);
    else Atomics.and(this.#words, this.#base + AMD_STATUS, ~this.#spec.run);
  }
}
