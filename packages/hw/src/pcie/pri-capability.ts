import { checkInteger, IommuError } from '@faultline/core/errors';
import type { Doorbell, Words } from '@faultline/core/sync';
import {
  checkFunction,
  FUNCTION_ALLOCATION,
  FUNCTION_CAPACITY,
  FUNCTION_CONTROL,
  FUNCTION_PASID_REQUIRED,
  FUNCTION_QUEUES,
  FUNCTION_RESETS,
  FUNCTION_RUNNING,
  FUNCTION_STATUS,
  PRI_CTRL_ENABLE,
  PRI_STATUS_PASID_REQUIRED,
  PRI_STATUS_RF,
  PRI_STATUS_STOPPED,
  PRI_STATUS_UPRGI,
} from './function.layout.ts';

/** The PRI capability of a function, as its IOMMU's driver uses it. One instance in one thread at a time: it alone writes CONTROL.
 * Orderings: function.layout.ts. That RF and UPRGI are write-1-to-clear and that enabling clears them, what Reset clears and when it is
 * heeded, and that a failed interface ignores all responses, is as two implementers restate the PCIe Base Specification, 10.5.2.
 * @see Linux drivers/pci/ats.c; QEMU pcie_pri_init(); Efinix PCIe controller registers, ATS Page Request Control and Status (0x644) */
export class PriCapability {
  readonly #words: Words;
  readonly #base: number;
  readonly #wakes: readonly Doorbell[];

  /** @param wakes the doorbells that the function's endpoints sleep on: {@link reset} must reach those that wait for answers.
   * @throws IommuError EINVAL where no function was laid out. */
  constructor(words: Words, base: number, wakes: readonly Doorbell[]) {
    checkFunction('PriCapability', words, base);
    this.#words = words;
    this.#base = base;
    this.#wakes = wakes;
  }

  /** Outstanding Page Request Capacity. */
  get capacity(): number {
    return this.#words[this.#base + FUNCTION_CAPACITY];
  }

  /** Lets the function issue page requests: min(capacity, wanted) outstanding at most, all its queues together. Its status begins anew.
   * @returns the allocation.
   * @throws IommuError EBUSY when it is enabled, or has not stopped since it was disabled; EINVAL when `wanted` leaves a queue with none. */
  enable(wanted: number): number {
    const call = 'PriCapability.enable';
    const words = this.#words;
    checkInteger(call, 'wanted', wanted, words[this.#base + FUNCTION_QUEUES], 2 ** 31 - 1);
    const control = Atomics.load(words, this.#base + FUNCTION_CONTROL);
    if ((control & PRI_CTRL_ENABLE) !== 0) throw new IommuError('EBUSY', call, 'ENABLE', 1, 'is enabled already');
    if (!this.isStopped()) throw new IommuError('EBUSY', call, 'STOPPED', 0, 'requests are outstanding');
    const allocation = Math.min(this.capacity, wanted);
    this.clearStatus(PRI_STATUS_RF | PRI_STATUS_UPRGI);
    Atomics.store(words, this.#base + FUNCTION_ALLOCATION, allocation); // before CONTROL: an endpoint that sees ENABLE has this allocation
    Atomics.store(words, this.#base + FUNCTION_CONTROL, (control + 2) | PRI_CTRL_ENABLE);
    return allocation;
  }

  /** Takes the permission away. Requests that are outstanding stay so: {@link isStopped} tells. Disabled already: does nothing. */
  disable(): void {
    Atomics.and(this.#words, this.#base + FUNCTION_CONTROL, ~PRI_CTRL_ENABLE); // [O]
  }

  /** Makes the function forget what is outstanding: its accesses fail, answers that come later match nothing.
   * The function does so when its thread next runs; then it has stopped. @throws IommuError EBUSY while enabled. */
  reset(): void {
    if (this.isEnabled()) throw new IommuError('EBUSY', 'PriCapability.reset', 'ENABLE', 1, 'must be disabled first');
    Atomics.add(this.#words, this.#base + FUNCTION_RESETS, 1); // [X]
    for (const wake of this.#wakes) wake.ring(); // [X]
  }

  isEnabled(): boolean {
    return (Atomics.load(this.#words, this.#base + FUNCTION_CONTROL) & PRI_CTRL_ENABLE) !== 0;
  }

  /** Whether nothing is outstanding: with PRI disabled, no page request comes any more. */
  isStopped(): boolean {
    return Atomics.load(this.#words, this.#base + FUNCTION_RUNNING) === 0; // [O], [I]
  }

  /** PRI Status: PRI_STATUS_* bits. STOPPED is clear while enabled, where the specification leaves it open. */
  status(): number {
    const sticky = Atomics.load(this.#words, this.#base + FUNCTION_STATUS);
    const required = this.#words[this.#base + FUNCTION_PASID_REQUIRED] === 1 ? PRI_STATUS_PASID_REQUIRED : 0;
    const stopped = !this.isEnabled() && this.isStopped() ? PRI_STATUS_STOPPED : 0;
    return sticky | required | stopped;
  }

  /** Clears RF and UPRGI where `bits` has them: both are write-1-to-clear. */
  clearStatus(bits: number): void {
    Atomics.and(this.#words, this.#base + FUNCTION_STATUS, ~(bits & (PRI_STATUS_RF | PRI_STATUS_UPRGI)));
  }
}
