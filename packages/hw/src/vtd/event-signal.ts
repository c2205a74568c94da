import type { Doorbell, Words } from '@faultline/core/sync';
import { VTD_FECTL, VTD_FSTS, VTD_ICS, VTD_PECTL, VTD_PRS, VTD_STATS } from './layout.ts';
import {
  FSTS_EVENTS,
  FSTS_FRI_MASK,
  FSTS_FRI_SHIFT,
  FSTS_PPF,
  ICS_IWC,
  PECTL_IM,
  PECTL_IP,
  PRS_PPR,
  PRS_PRO,
} from './registers.ts';
import { STAT_FAULT_EVENTS, STAT_INTERRUPTS } from './stats.ts';

// The unit's interrupts: each an edge, on the first of its status bits to be set. What the bit stands for is visible before the bit is.
//   [E] hardware: PQT (or a fault record), then the status bit, by read-modify-write
//   pairs with  the handler: the status bit cleared, then PQT (or the record) read
// A bit that was set already belongs to a handler that has not cleared it yet, and will read afterwards. So nothing is left without a reader.

export class EventSignal {
  readonly #words: Words;
  readonly #base: number;
  readonly #irq: Doorbell;

  constructor(words: Words, base: number, irq: Doorbell) {
    this.#words = words;
    this.#base = base;
    this.#irq = irq;
  }

  /** Page request event: PRS_PPR or PRS_PRO. */
  pageRequest(bit: number): void {
    const before = Atomics.or(this.#words, this.#base + VTD_PRS, bit); // [E]
    if ((before & (PRS_PPR | PRS_PRO)) === 0) this.#raise(VTD_PECTL, STAT_INTERRUPTS);
  }

  /** Fault event: PFO, or an error of the invalidation queue. */
  fault(bits: number): void {
    const before = Atomics.or(this.#words, this.#base + VTD_FSTS, bits); // [E]
    if ((before & FSTS_EVENTS) === 0) this.#raise(VTD_FECTL, STAT_FAULT_EVENTS);
  }

  /** Fault event: the record `index` was filled. FRI names the one that set PPF. */
  faultRecorded(index: number): void {
    const at = this.#base + VTD_FSTS;
    let before = Atomics.load(this.#words, at);
    for (;;) {
      const isFirst = (before & FSTS_PPF) === 0;
      const after = isFirst ? (before & ~FSTS_FRI_MASK) | (index << FSTS_FRI_SHIFT) | FSTS_PPF : before;
      const found = Atomics.compareExchange(this.#words, at, before, after); // [E]
      if (found === before) break;
      before = found; // software cleared something meanwhile
    }
    if ((before & FSTS_EVENTS) === 0) this.#raise(VTD_FECTL, STAT_FAULT_EVENTS);
  }

  /** Invalidation event: a wait with the interrupt flag completed. It has no mask here. */
  invalidation(): void {
    if ((Atomics.or(this.#words, this.#base + VTD_ICS, ICS_IWC) & ICS_IWC) === 0) this.#irq.ring();
  }

  /** Software cleared a mask: a pending interrupt is delivered now, unless software has cleared what it was for. */
  unmasked(): void {
    this.#deliver(VTD_PECTL, VTD_PRS, PRS_PPR | PRS_PRO, STAT_INTERRUPTS);
    this.#deliver(VTD_FECTL, VTD_FSTS, FSTS_EVENTS, STAT_FAULT_EVENTS);
  }

  #raise(control: number, stat: number): void {
    if ((Atomics.load(this.#words, this.#base + control) & PECTL_IM) !== 0) {
      Atomics.or(this.#words, this.#base + control, PECTL_IP);
      return;
    }
    this.#words[this.#base + VTD_STATS + stat]++;
    this.#irq.ring();
  }

  #deliver(control: number, status: number, bits: number, stat: number): void {
    const at = this.#base + control;
    if ((Atomics.load(this.#words, at) & (PECTL_IP | PECTL_IM)) !== PECTL_IP) return;
    Atomics.and(this.#words, at, ~PECTL_IP);
    if ((Atomics.load(this.#words, this.#base + status) & bits) === 0) return;
    this.#words[this.#base + VTD_STATS + stat]++;
    this.#irq.ring();
  }
}
