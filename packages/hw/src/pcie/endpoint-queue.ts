import { IommuError } from '@faultline/core/errors';
import type { DevicePort } from '../accelerator/device-thread.ts';
import { STALL_ABORT, STALL_PENDING } from '../smmu-v3/stall-port.ts';

/** A slot's words in {@link EndpointQueue.slots}. */
export const SLOT_PAGE_LO = 0;
export const SLOT_PAGE_HI = 1;
export const SLOT_PERM = 2; // FAULT_PERM_*
export const SLOT_RESULT = 3; // STALL_*
export const SLOT_POSTED = 4; // tick
export const SLOT_RESUMED = 5; // tick
export const SLOT_NEXT = 6; // next member of its group, or NO_SLOTS
export const SLOT_WORDS = 8;

/** A queue of an endpoint: accesses of one address space whose pages are missing, in rounds, as a device thread posts them.
 * Post up to `capacity`, publish once, wait until done, read the results, reset. Made by `Endpoint.openQueue`, for its thread. */
export class EndpointQueue implements DevicePort {
  /** The endpoint's: all slots of this round. */
  readonly slots: Int32Array;
  /** The endpoint's: slots of this round that were handed over. */
  published = 0;
  /** The endpoint's: slots of these that were sent, or refused. */
  sent = 0;
  /** The endpoint's: slots of these without a result. */
  left = 0;
  readonly number: number;
  readonly capacity: number;
  /** PASID of the address space, or -1. */
  readonly pasid: number;
  readonly #pump: () => number;
  #posted = 0;

  constructor(number: number, pasid: number, capacity: number, pump: () => number) {
    this.slots = new Int32Array(capacity * SLOT_WORDS);
    this.number = number;
    this.pasid = pasid;
    this.capacity = capacity;
    this.#pump = pump;
  }

  get posted(): number {
    return this.#posted;
  }

  /** @param perm FAULT_PERM_*. @returns the slot's number, or -1 when all are in use or the round is published already. */
  post(pageLo: number, pageHi: number, perm: number, tick: number): number {
    if (this.#posted === this.capacity || this.published !== 0) return -1;
    const slot = this.#posted++;
    const at = slot * SLOT_WORDS;
    this.slots[at + SLOT_PAGE_LO] = pageLo;
    this.slots[at + SLOT_PAGE_HI] = pageHi;
    this.slots[at + SLOT_PERM] = perm;
    this.slots[at + SLOT_RESULT] = STALL_PENDING;
    this.slots[at + SLOT_POSTED] = tick;
    return slot;
  }

  /** Hands this round to the endpoint, which sends what its credits allow, and the rest as they come back. */
  publish(): void {
    if (this.#posted === 0 || this.published !== 0) return;
    this.published = this.#posted;
    this.left = this.#posted;
    this.#pump();
  }

  /** Takes what has come for the endpoint. @returns whether every published slot has its result. */
  isDone(): boolean {
    if (this.left === 0) return true;
    this.#pump();
    return this.left === 0;
  }

  /** STALL_RETRY after Success: try again, and it may fault again. STALL_ABORT after all else. */
  result(slot: number): number {
    return this.slots[slot * SLOT_WORDS + SLOT_RESULT];
  }

  postedAt(slot: number): number {
    return this.slots[slot * SLOT_WORDS + SLOT_POSTED];
  }

  /** Tick at which the IOMMU sent the answer, or at which the endpoint gave up. */
  resumedAt(slot: number): number {
    return this.slots[slot * SLOT_WORDS + SLOT_RESUMED];
  }

  /** Starts the next round. @throws IommuError EBUSY while slots of this one wait for answers. */
  reset(): void {
    if (this.left !== 0)
      throw new IommuError('EBUSY', 'EndpointQueue.reset', 'posted', this.#posted, 'requests are outstanding');
    this.#posted = 0;
    this.published = 0;
    this.sent = 0;
  }

  /** The endpoint's: gives one slot its result. */
  finish(slot: number, result: number, tick: number): void {
    const at = slot * SLOT_WORDS;
    this.slots[at + SLOT_RESULT] = result;
    this.slots[at + SLOT_RESUMED] = tick;
    this.left--;
  }

  /** The endpoint's: gives up what was sent and has no result. @returns how many. */
  dropSent(tick: number): number {
    return this.#giveUp(0, this.sent, tick);
  }

  /** The endpoint's: gives up what was not sent. @returns how many. */
  dropUnsent(tick: number): number {
    const given = this.#giveUp(this.sent, this.published, tick);
    this.sent = this.published;
    return given;
  }

  #giveUp(first: number, end: number, tick: number): number {
    let given = 0;
    for (let slot = first; slot < end; slot++) {
      if (this.slots[slot * SLOT_WORDS + SLOT_RESULT] !== STALL_PENDING) continue;
      this.finish(slot, STALL_ABORT, tick);
      given++;
    }
    return given;
  }
}
