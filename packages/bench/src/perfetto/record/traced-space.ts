import type { AddressSpace } from '@faultline/core/iopf';
import type { Clock } from '@faultline/core/sync';
import type { TraceWriter } from '@faultline/core/trace';
import { MAP, MAPPED } from '../events.ts';
import type { FaultNumbers } from '../place.ts';

/** A process's memory that records which traced faults' pages are made present: where user space handles faults, nothing of the core is
 * asked in between. */
export class TracedSpace implements AddressSpace {
  readonly #mm: AddressSpace;
  readonly #trace: TraceWriter;
  readonly #numbers: FaultNumbers;
  readonly #clock: Clock;

  constructor(mm: AddressSpace, trace: TraceWriter, numbers: FaultNumbers, clock: Clock) {
    this.#mm = mm;
    this.#trace = trace;
    this.#numbers = numbers;
    this.#clock = clock;
  }

  getUsers(): boolean {
    return this.#mm.getUsers();
  }
  putUsers(): void {
    this.#mm.putUsers();
  }
  readLock(): void {
    this.#mm.readLock();
  }
  readUnlock(): void {
    this.#mm.readUnlock();
  }
  findArea(pageLo: number, pageHi: number): number {
    return this.#mm.findArea(pageLo, pageHi);
  }
  areaPerm(area: number): number {
    return this.#mm.areaPerm(area);
  }
  handleMmFault(area: number, pageLo: number, pageHi: number, perm: number, lease?: boolean): boolean {
    const number = this.#numbers.of(pageLo);
    if (number === 0) return this.#mm.handleMmFault(area, pageLo, pageHi, perm, lease);
    this.#trace.record(this.#clock(), MAP, 0, number);
    const isMapped = this.#mm.handleMmFault(area, pageLo, pageHi, perm, lease);
    this.#trace.record(this.#clock(), MAPPED, isMapped ? 1 : 0, 0);
    this.#trace.publish();
    return isMapped;
  }
}
