import { RESPONSE_SUCCESS } from '@faultline/core/iopf';
import type { FaultCursor } from '../../fault-queue/index.ts';
import type { OpenFaultFile } from './fault-file.ts';

/** Page requests that a device waits for together, where they lie in shared memory: nothing is copied. Owed exactly one {@link respond}.
 * What it shows is the group's until it is answered, by whomever: turning the device's faults off answers it too. */
export class FaultGroup {
  /** What it is answered by: on another thread, and in the bytes of the file, too. */
  readonly cookie: number;
  /** On the group's first fault; nothing, once it is answered here. */
  readonly fault: FaultCursor;
  readonly #file: OpenFaultFile;

  constructor(file: OpenFaultFile, cookie: number, fault: FaultCursor) {
    this.cookie = cookie;
    this.fault = fault;
    this.#file = file;
  }

  /** Id of the device, 0: not bound any more. */
  get devId(): number {
    return this.#file.deviceIdOf(this.fault.devId);
  }
  /** Faults of the group. */
  get count(): number {
    return this.fault.count;
  }

  /** The same view on one fault after the other, in the order in which the device asked. */
  *[Symbol.iterator](): Generator<FaultCursor, void, undefined> {
    if (this.count === 0) return;
    this.fault.rewind();
    do yield this.fault;
    while (this.fault.next());
  }

  /** Answers: RESPONSE_SUCCESS, the device tries again, or RESPONSE_INVALID, it fails. @returns false: it had been answered for us.
   * @throws IommuError EINVAL code, or answered and gone already; EBADF the file is closed */
  respond(code: number = RESPONSE_SUCCESS): boolean {
    const isAnswered = this.#file.respond(this.cookie, code);
    this.fault.place(0);
    return isAnswered;
  }
}
