// drivers/iommu/io-pgfault.c in small, as it is since 6.9: a fault_param that is counted, and groups that a device lists until
// they are answered. What releases did differently is an argument.
import { mutexLock, mutexUnlock, refcountIncNotZero, refcountInit, refcountPut } from '@faultline/core/sync';
import { type Kernel, List } from './kernel.ts';

/** Words of region `shared` that belong to the device. */
export const DEVICE = {
  /** Its fault_param. */
  FAULT_PARAM: 0,
  /** Mutex: FAULT_PARAM changes. */
  PARAM_LOCK: 1,
  /** What is attached: an attach handle. */
  HANDLE: 2,
  /** Mutex: HANDLE, as the lock of the array that it stands in. */
  HANDLE_LOCK: 3,
  /** Mutex: held by the event thread over each report, so whoever takes it has fenced the reports before. */
  EVENT_LOCK: 4,
} as const;
/** The first offset in region `shared` that is an exhibit's own. */
export const DEVICE_WORDS = 5;

/** A fault_param's words. */
export const PARAM = { LOCK: 0, PENDING: 1, PARTIAL: 2, USERS: 3 } as const;
/** A group's words, and those of a request that is set aside. */
export const GROUP = { PENDING_NODE: 0, NODE: 1, ID: 2, FAULT_PARAM: 3, HANDLE: 4, MEMBERS: 5 } as const;

export class Iopf {
  readonly kernel: Kernel;
  readonly pending: List;
  /** The list of whoever handles a group, and of set-aside requests. */
  readonly node: List;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.pending = new List(kernel, GROUP.PENDING_NODE);
    this.node = new List(kernel, GROUP.NODE);
  }

  /** iopf_queue_add_device(). For setup. */
  addDevice(): number {
    const { kernel } = this;
    const param = kernel.alloc();
    refcountInit(kernel.words, param + PARAM.USERS, 1);
    Atomics.store(kernel.words, kernel.shared(DEVICE.FAULT_PARAM), param);
    return param;
  }

  /** @returns the device's fault_param with a reference, or 0. In Linux an RCU read section: nobody frees meanwhile. */
  getParam(): number {
    const { words } = this.kernel;
    const param = Atomics.load(words, this.kernel.shared(DEVICE.FAULT_PARAM));
    return param !== 0 && refcountIncNotZero(words, param + PARAM.USERS) ? param : 0;
  }
  putParam(param: number): void {
    if (refcountPut(this.kernel.words, param + PARAM.USERS)) this.kernel.free(param);
  }

  /** report_partial_fault(). */
  setAside(param: number, id: number): void {
    const { words, self } = this.kernel;
    const request = this.kernel.alloc();
    words[request + GROUP.ID] = id;
    mutexLock(words, param + PARAM.LOCK, self);
    this.node.append(param + PARAM.PARTIAL, request);
    mutexUnlock(words, param + PARAM.LOCK, self);
  }

  /** Assembles a group, and lists it as pending. The reference on `param` is the group's from here on. */
  newGroup(param: number, id: number): number {
    const { words, self } = this.kernel;
    const group = this.kernel.alloc();
    words[group + GROUP.ID] = id;
    words[group + GROUP.FAULT_PARAM] = param;
    mutexLock(words, param + PARAM.LOCK, self);
    for (const request of this.node.all(param + PARAM.PARTIAL)) {
      if (words[request + GROUP.ID] !== id) continue;
      this.node.remove(param + PARAM.PARTIAL, request);
      this.node.append(group + GROUP.MEMBERS, request);
    }
    this.pending.append(param + PARAM.PENDING, group);
    mutexUnlock(words, param + PARAM.LOCK, self);
    return group;
  }

  /** iopf_group_response() up to 7.1: the device is answered if the group is still listed as pending. */
  respond(group: number): void {
    const { words, self } = this.kernel;
    const param = words[group + GROUP.FAULT_PARAM];
    mutexLock(words, param + PARAM.LOCK, self);
    if (this.pending.isLinked(group)) {
      this.kernel.answer(words[group + GROUP.ID]);
      this.pending.remove(param + PARAM.PENDING, group);
    }
    mutexUnlock(words, param + PARAM.LOCK, self);
  }

  freeGroup(group: number): void {
    const { words } = this.kernel;
    for (const request of this.node.all(group + GROUP.MEMBERS)) this.kernel.free(request);
    this.putParam(words[group + GROUP.FAULT_PARAM]);
    this.kernel.free(group);
  }

  /** iopf_queue_remove_device(): answers what is pending, takes the fault_param away.
   * @param frees whether the groups are freed as well, as since 6.14. */
  removeDevice(frees: boolean): void {
    const { words, self } = this.kernel;
    const device = this.kernel.shared(DEVICE.FAULT_PARAM);
    mutexLock(words, this.kernel.shared(DEVICE.PARAM_LOCK), self);
    const param = Atomics.load(words, device);
    mutexLock(words, param + PARAM.LOCK, self);
    for (const group of this.pending.all(param + PARAM.PENDING)) {
      this.kernel.answer(words[group + GROUP.ID]);
      this.pending.remove(param + PARAM.PENDING, group);
      if (frees) this.freeGroup(group);
    }
    mutexUnlock(words, param + PARAM.LOCK, self);
    Atomics.store(words, device, 0);
    this.putParam(param);
    mutexUnlock(words, this.kernel.shared(DEVICE.PARAM_LOCK), self);
  }
}
