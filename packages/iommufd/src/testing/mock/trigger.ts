import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_OFFSET_SHIFT,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_TOKEN,
} from '@faultline/core/iopf';
import { FAULT_FLAG_USER_PASID } from '../../driver/index.ts';
import type { Machine } from '../../machine/index.ts';

export interface MockFault {
  /** Number of the device. */
  readonly device: number;
  /** 0: none. */
  readonly pasid: number;
  readonly grpid: number;
  /** FAULT_PERM_*. */
  readonly perm: number;
  /** In pages of 4 KiB. */
  readonly page: number;
  /** The byte in the page. Default 0. */
  readonly offset?: number;
  /** Default true. */
  readonly last?: boolean;
  /** The PASID is one of a table that the guest owns: the fault goes to the device's own domain. Default false. */
  readonly userPasid?: boolean;
}

/** Reports a page request as a device's hardware would, on the calling thread, which is online. Its batch is not ended. */
export function reportMockFault({ path, words, system, fail }: Machine, fault: MockFault): number {
  // Without memory for it, a request is in the thread's scratch record.
  const at = fail.fails('page request') ? system.stack : path.prepareFault();
  words[at + FAULT_DEVICE] = fault.device;
  const pasid = fault.userPasid === true ? FAULT_FLAG_USER_PASID : FAULT_FLAG_PASID_VALID;
  words[at + FAULT_FLAGS] = (fault.pasid === 0 ? 0 : pasid) | (fault.last === false ? 0 : FAULT_FLAG_LAST_PAGE);
  words[at + FAULT_PASID] = fault.pasid;
  words[at + FAULT_GRPID] = fault.grpid;
  words[at + FAULT_PERM] = fault.perm;
  words[at + FAULT_PAGE_LO] = fault.page | 0;
  words[at + FAULT_PAGE_HI] = Math.floor(fault.page / 2 ** 32) | ((fault.offset ?? 0) << FAULT_OFFSET_SHIFT);
  words[at + FAULT_TOKEN] = 0;
  return path.reportDeviceFault(at);
}

/** Reports one page request by itself. */
export function triggerMockFault(machine: Machine, fault: MockFault): number {
  return machine.answering(() => {
    const result = reportMockFault(machine, fault);
    machine.path.endBatch();
    return result;
  });
}
