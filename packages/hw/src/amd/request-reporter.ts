import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAG_RESPONSE_NEEDS_PASID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_TOKEN,
  type FaultReporter,
} from '@faultline/core/iopf';
import type { Words } from '@faultline/core/sync';
import { PRG_FAILURE } from '../pcie/pri-port.layout.ts';
import type { AmdOps } from './amd-ops.ts';
import { AMD_DEVICES, AMD_DRIVER_TABLE, DRIVER_DEVICE, DRIVER_MAX_PASIDS, DRIVER_WORDS } from './layout.ts';
import {
  PPR_GN,
  PPR_LAST,
  PPR_PAGE_SERVICE_REQUEST,
  PPR_RESERVED,
  pprDevice,
  pprGroup,
  pprIsStopMarker,
  pprPasid,
  pprPerm,
} from './ppr-log.ts';
import {
  BAD_PASID,
  MALFORMED,
  NO_PASID,
  REFUSED,
  REPORTED,
  STOP_MARKERS,
  UNKNOWN_DEVICE,
  UNKNOWN_ENTRY,
} from './pump-outcomes.ts';

/** Answers entries that cannot be reported. */
export type PprAnswers = Pick<AmdOps, 'completePpr' | 'flushResponses'>;

/** What becomes of one PPR log entry: a fault for the core, an answer, or nothing. Lives in the pump's thread.
 * @see Linux iommu_call_iopf_notifier() */
export class RequestReporter {
  readonly #words: Words;
  readonly #reporter: FaultReporter;
  readonly #ops: PprAnswers;
  readonly #asLinux: boolean;
  readonly #devices: number;
  readonly #driverTable: number;
  #answered = false; // this batch answered something itself

  constructor(words: Words, base: number, reporter: FaultReporter, ops: PprAnswers, asLinux: boolean) {
    this.#words = words;
    this.#reporter = reporter;
    this.#ops = ops;
    this.#asLinux = asLinux;
    this.#devices = words[base + AMD_DEVICES];
    this.#driverTable = base + words[base + AMD_DRIVER_TABLE];
  }

  /** Deals with a copy of an entry. @returns its outcome, of pump-outcomes.ts. */
  take(entry: Int32Array): number {
    const high = entry[1];
    if (high >>> 28 !== PPR_PAGE_SERVICE_REQUEST) return UNKNOWN_ENTRY;
    if (pprIsStopMarker(high)) return STOP_MARKERS;
    const device = this.#device(pprDevice(entry, 0));
    if (device === 0) return this.#refuse(entry, UNKNOWN_DEVICE);
    if ((high & PPR_GN) === 0) return this.#refuse(entry, NO_PASID);
    if ((high & PPR_RESERVED) !== 0) return this.#refuse(entry, MALFORMED);
    if (!this.#mayUse(pprDevice(entry, 0), pprPasid(entry, 0))) return this.#refuse(entry, BAD_PASID);
    return this.#report(entry, device - 1);
  }

  /** Sends the batch's own answers, and ends it for the core. */
  endBatch(): void {
    if (this.#answered) {
      this.#answered = false;
      this.#ops.flushResponses();
    }
    this.#reporter.endBatch();
  }

  /** Read plainly: the driver sets it before the device's first request (COMPLETION_WAIT, then the entry's TAIL order it), and clears it
   * only once the log is fenced. @returns device index + 1 of the device id's driver, or 0. */
  #device(deviceId: number): number {
    if (deviceId >= this.#devices) return 0;
    return this.#words[this.#driverTable + deviceId * DRIVER_WORDS + DRIVER_DEVICE];
  }

  #mayUse(deviceId: number, pasid: number): boolean {
    return pasid !== 0 && pasid < this.#words[this.#driverTable + deviceId * DRIVER_WORDS + DRIVER_MAX_PASIDS];
  }

  #report(entry: Int32Array, device: number): number {
    const words = this.#words;
    const record = this.#reporter.prepareFault();
    const last = (entry[1] & PPR_LAST) !== 0 ? FAULT_FLAG_LAST_PAGE : 0;
    words[record + FAULT_DEVICE] = device;
    words[record + FAULT_FLAGS] = last | FAULT_FLAG_PASID_VALID | FAULT_FLAG_RESPONSE_NEEDS_PASID;
    words[record + FAULT_PASID] = pprPasid(entry, 0);
    words[record + FAULT_GRPID] = pprGroup(entry, 0);
    words[record + FAULT_PERM] = pprPerm(entry[1]);
    words[record + FAULT_PAGE_LO] = (entry[2] >>> 12) | (entry[3] << 20);
    words[record + FAULT_PAGE_HI] = entry[3] >>> 12;
    words[record + FAULT_TOKEN] = pprDevice(entry, 0);
    return this.#reporter.reportDeviceFault(record) === 0 ? REPORTED : REFUSED;
  }

  /** An entry that nobody else will answer. */
  #refuse(entry: Int32Array, outcome: number): number {
    const due = this.#asLinux ? outcome !== UNKNOWN_DEVICE : (entry[1] & PPR_LAST) !== 0;
    if (due) {
      const pasid = (entry[1] & PPR_GN) !== 0 ? pprPasid(entry, 0) : -1;
      this.#ops.completePpr(pprDevice(entry, 0), pasid, pprGroup(entry, 0), PRG_FAILURE);
      this.#answered = true;
    }
    return outcome;
  }
}
