import { mutexLock, mutexUnlock } from '../../sync/index.ts';
import { DEVICE_PARAM, DEVICE_PARAM_LOCK, DEVICE_WORDS, PARAM_LOCK } from '../layout.ts';
import { ALL_GROUPS, partialAdd, partialsDrop, partialsToGroup } from '../partial-list.ts';
import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAGS,
  FAULT_GRPID,
  RESPONSE_FAILURE,
  RESPONSE_INVALID,
  type ResponseCode,
} from '../record.ts';
import type { FaultPath, Generation } from './fault-path.ts';
import { INVALID, ListedFaultPath, NO_DEVICE, NO_MEMORY } from './listed.ts';

/** As in 6.7-rc1. The device's parameter lock is held over the whole report, the fault lock inside it. A last request is copied
 * twice: onto the device's list, and into its group. The domain is looked up by the worker, with nothing that keeps it; the
 * answer searches the device's list. What the driver does with a failed report (answer it) is done here too.
 * @see Linux v6.6 drivers/iommu/iommu.c iommu_report_device_fault(), io-pgfault.c iommu_queue_iopf() */
export class LockedFaultPath extends ListedFaultPath implements FaultPath {
  readonly generation: Generation = 'locked';

  reportDeviceFault(recordAt: number): number {
    const { words, self } = this;
    this.books.reported++;
    const device = words[recordAt + FAULT_DEVICE];
    if (!this.knowsDevice(device)) {
      if ((words[recordAt + FAULT_FLAGS] & FAULT_FLAG_LAST_PAGE) !== 0) this.refuse(recordAt, RESPONSE_INVALID);
      return NO_DEVICE;
    }
    const lock = this.system.devices + device * DEVICE_WORDS + DEVICE_PARAM_LOCK;
    mutexLock(words, lock, self);
    const param = Atomics.load(words, this.deviceAt(device) + DEVICE_PARAM);
    const result = param === 0 ? INVALID : this.#queueIopf(this.paramAt(param), recordAt);
    mutexUnlock(words, lock, self);
    if (result !== 0 && (words[recordAt + FAULT_FLAGS] & FAULT_FLAG_LAST_PAGE) !== 0)
      this.refuse(recordAt, param === 0 ? RESPONSE_INVALID : RESPONSE_FAILURE);
    return result;
  }

  /** Context: the device's parameter lock, which guards the partial list here. @returns 0 or a negative errno, with nothing left on the lists. */
  #queueIopf(param: number, recordAt: number): number {
    const { words, self, objects } = this;
    const cache = this.system.requestCache;
    const last = (words[recordAt + FAULT_FLAGS] & FAULT_FLAG_LAST_PAGE) !== 0;
    if (!last) {
      const partial = cache.alloc();
      if (partial === 0) return NO_MEMORY;
      this.copyRecord(this.requestAt(partial), recordAt);
      partialAdd(words, objects, param, partial);
      return 0;
    }
    mutexLock(words, param + PARAM_LOCK, self);
    const copy = this.listCopy(param, recordAt);
    mutexUnlock(words, param + PARAM_LOCK, self);
    if (copy === 0) return NO_MEMORY;
    const group = this.allocGroup(recordAt);
    if (group === 0) this.books.dropped += partialsDrop(words, objects, param, words[recordAt + FAULT_GRPID], cache);
    else {
      partialsToGroup(words, objects, param, group, words[recordAt + FAULT_GRPID]);
      if (this.sink.queue(group, 0)) {
        this.books.groups++;
        return 0;
      }
      this.freeGroup(group);
    }
    mutexLock(words, param + PARAM_LOCK, self);
    this.unlistCopy(param, copy);
    mutexUnlock(words, param + PARAM_LOCK, self);
    return NO_MEMORY;
  }

  /** The worker's look-up. The attach array's lock is released before the domain is used: it may go in between. */
  groupDomain(group: number): number {
    return this.handleDomain(this.findHandleLocked(this.requestAt(group)));
  }

  /** The parameter is read without its lock, as then. */
  respondGroup(group: number, code: ResponseCode): boolean {
    const param = this.loadParam(this.words[this.requestAt(group) + FAULT_DEVICE]);
    if (param === 0) {
      this.books.late++;
      return false;
    }
    return this.answerListed(this.paramAt(param), group, code);
  }

  addDevice(device: number): boolean {
    return this.installLocked(device, this.allocParam(device));
  }

  /** Refused while groups are unanswered; otherwise freed at once, as the report holds PARAM_LOCK whenever it has the pointer.
   * The answer does not, so the caller flushes the work queue first. */
  removeDevice(device: number): 'removed' | 'busy' {
    this.system.checkDevice('removeDevice', device);
    const at = this.deviceAt(device);
    mutexLock(this.words, at + DEVICE_PARAM_LOCK, this.self);
    const param = Atomics.load(this.words, at + DEVICE_PARAM);
    const result = this.detachParam(device);
    mutexUnlock(this.words, at + DEVICE_PARAM_LOCK, this.self);
    if (param !== 0 && result === 'removed') this.system.paramCache.free(param);
    return result;
  }

  respondPending(): number {
    return -1;
  }

  override discardPartial(device: number): number {
    this.system.checkDevice('discardPartial', device);
    const lock = this.deviceAt(device) + DEVICE_PARAM_LOCK;
    mutexLock(this.words, lock, this.self);
    const param = this.loadParam(device);
    const dropped =
      param === 0
        ? 0
        : partialsDrop(this.words, this.objects, this.paramAt(param), ALL_GROUPS, this.system.requestCache);
    mutexUnlock(this.words, lock, this.self);
    this.books.dropped += dropped;
    return dropped;
  }
}
