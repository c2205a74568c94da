import type { Doorbell, Words } from '@faultline/core/sync';
import { type Procedure, untilWord } from '../procedure/procedure.ts';
import {
  VTD_GCMD,
  VTD_GSTS,
  VTD_IQ,
  VTD_IQ_ORDER,
  VTD_IQ_WIDE,
  VTD_IQA,
  VTD_IQH,
  VTD_IQT,
  VTD_PECTL,
  VTD_PQA,
  VTD_PQH,
  VTD_PQT,
  VTD_PRQ,
  VTD_PRQ_ORDER,
} from './layout.ts';
import { GCMD_QIE, GCMD_TE, IQA_DW, PECTL_IM } from './registers.ts';
import { byteAddressHi, byteAddressLo } from './tables.ts';
import type { VtdOps } from './vtd-ops.ts';

/** The unit's switches: queues, translation, the page request event's mask. */
export class UnitControl {
  readonly #words: Words;
  readonly #base: number;
  readonly #ops: VtdOps;
  readonly #hardware: Doorbell;
  readonly #timeoutMs: number;

  constructor(words: Words, base: number, ops: VtdOps, hardware: Doorbell, timeoutMs: number) {
    this.#words = words;
    this.#base = base;
    this.#ops = ops;
    this.#hardware = hardware;
    this.#timeoutMs = timeoutMs;
  }

  /** Switches the queues and translation on. @throws IommuError ETIMEDOUT: the switches are back where they were */
  *enable(): Procedure {
    this.#store(VTD_IQT, 0);
    this.#store(VTD_PQH, 0);
    this.#store(VTD_PQT, 0);
    const width = this.#words[this.#base + VTD_IQ_WIDE] === 1 ? IQA_DW : 0;
    this.#storeAddress(VTD_IQA, VTD_IQ, this.#words[this.#base + VTD_IQ_ORDER] | width);
    this.#storeAddress(VTD_PQA, VTD_PRQ, this.#words[this.#base + VTD_PRQ_ORDER]);
    this.maskPageRequests(false);
    yield* this.#switch(GCMD_TE | GCMD_QIE, 0);
  }

  /** Translation and the queues off; descriptors that the hardware has not taken are taken first. @throws IommuError ETIMEDOUT: nothing is off */
  *disable(): Procedure {
    const isTaken = (head: number): boolean => {
      this.#ops.recover(); // a queue that stands at an error takes nothing
      return head === Atomics.load(this.#words, this.#base + VTD_IQT);
    };
    yield* untilWord(this.#words, 'disable', this.#base + VTD_IQH, isTaken, this.#timeoutMs);
    yield* this.#switch(0, GCMD_TE | GCMD_QIE);
  }

  /** Masks page request events, or lets them through again: one that came meanwhile is delivered then. */
  maskPageRequests(masked: boolean): void {
    const at = this.#base + VTD_PECTL;
    if (masked) Atomics.or(this.#words, at, PECTL_IM);
    else Atomics.and(this.#words, at, ~PECTL_IM);
    if (!masked) this.#hardware.ring();
  }

  *#switch(set: number, clear: number): Procedure {
    const words = this.#words;
    const at = this.#base + VTD_GCMD;
    const before = Atomics.load(words, at);
    Atomics.store(words, at, (before | set) & ~clear);
    this.#hardware.ring();
    const isEffective = (status: number): boolean => (status & set) === set && (status & clear) === 0;
    try {
      yield* untilWord(words, 'GCMD', this.#base + VTD_GSTS, isEffective, this.#timeoutMs);
    } catch (error) {
      Atomics.store(words, at, before); // a hardware that wakes up late finds what the driver believes
      throw error;
    }
  }

  #store(register: number, value: number): void {
    Atomics.store(this.#words, this.#base + register, value);
  }

  /** Byte address of a queue, with its size and width in the low bits. */
  #storeAddress(register: number, queue: number, low: number): void {
    const at = this.#base + this.#words[this.#base + queue];
    this.#store(register + 1, byteAddressHi(at));
    this.#store(register, byteAddressLo(at) | low);
  }
}
