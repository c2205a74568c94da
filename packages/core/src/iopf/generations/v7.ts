import { mutexLock, mutexUnlock } from '../../sync/index.ts';
import { listHead, listNext } from '../fault-list.ts';
import {
  DEVICE_PARAM,
  DEVICE_PARAM_LOCK,
  GROUP_PENDING,
  GROUP_STATE,
  groupDomainOf,
  HANDLER_NONE,
  PARAM_LOCK,
  PARAM_USERS,
  packGroupState,
} from '../layout.ts';
import { partialAdd, partialsDrop, partialsToGroup } from '../partial-list.ts';
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

/** As the v7 series leaves it. One parameter a device, counted by a plain integer under the parameter lock, which is taken for
 * get and again for put; everything between runs under the fault lock, but the handler. The last request is still copied twice
 * and still searched for. @see linux-iommu, 15 November 2023, patches 9 to 12 */
export class V7FaultPath extends ListedFaultPath implements FaultPath {
  readonly generation: Generation = 'v7';

  /** @returns the parameter's slab index with a use counted, 0 for none. */
  #get(device: number): number {
    const { words, self } = this;
    const at = this.deviceAt(device);
    mutexLock(words, at + DEVICE_PARAM_LOCK, self);
    const param = Atomics.load(words, at + DEVICE_PARAM);
    if (param !== 0) words[this.paramAt(param) + PARAM_USERS]++;
    mutexUnlock(words, at + DEVICE_PARAM_LOCK, self);
    return param;
  }

  /** The last put frees: the parameter lock was held for each get, and the pointer was cleared under it before the base use was put. */
  #put(device: number, param: number): void {
    const { words, self } = this;
    const at = this.deviceAt(device);
    mutexLock(words, at + DEVICE_PARAM_LOCK, self);
    const last = --words[this.paramAt(param) + PARAM_USERS] === 0;
    mutexUnlock(words, at + DEVICE_PARAM_LOCK, self);
    if (last) this.system.paramCache.free(param);
  }

  reportDeviceFault(recordAt: number): number {
    const { words, self } = this;
    this.books.reported++;
    const device = words[recordAt + FAULT_DEVICE];
    if (!this.knowsDevice(device)) {
      if ((words[recordAt + FAULT_FLAGS] & FAULT_FLAG_LAST_PAGE) !== 0) this.refuse(recordAt, RESPONSE_INVALID);
      return NO_DEVICE;
    }
    const param = this.#get(device);
    const last = (words[recordAt + FAULT_FLAGS] & FAULT_FLAG_LAST_PAGE) !== 0;
    if (param === 0) {
      if (last) this.refuse(recordAt, RESPONSE_INVALID);
      return INVALID;
    }
    const at = this.paramAt(param);
    mutexLock(words, at + PARAM_LOCK, self);
    const result = last ? this.#reportLast(param, at, recordAt) : this.#setAside(at, recordAt);
    mutexUnlock(words, at + PARAM_LOCK, self);
    this.#put(device, param);
    if (result !== 0 && last) this.refuse(recordAt, result === NO_DEVICE ? RESPONSE_INVALID : RESPONSE_FAILURE);
    return result;
  }

  #setAside(at: number, recordAt: number): number {
    const partial = this.system.requestCache.alloc();
    if (partial === 0) return NO_MEMORY;
    this.copyRecord(this.requestAt(partial), recordAt);
    partialAdd(this.words, this.objects, at, partial);
    return 0;
  }

  /** Context: fault lock, released round the handler. */
  #reportLast(param: number, at: number, recordAt: number): number {
    const { words, objects, self } = this;
    const copy = this.listCopy(at, recordAt);
    if (copy === 0) return NO_MEMORY;
    const domain = this.handleDomain(this.findHandleLocked(recordAt));
    const grpid = words[recordAt + FAULT_GRPID];
    if (domain === 0 || this.domainHandler(domain) === HANDLER_NONE) {
      this.books.dropped += partialsDrop(words, objects, at, grpid, this.system.requestCache);
      this.unlistCopy(at, copy);
      return NO_DEVICE;
    }
    const group = this.allocGroup(recordAt);
    if (group === 0) {
      this.unlistCopy(at, copy);
      return NO_MEMORY;
    }
    words[this.requestAt(group) + GROUP_STATE] = packGroupState(GROUP_PENDING, domain, param);
    partialsToGroup(words, objects, at, group, grpid);
    mutexUnlock(words, at + PARAM_LOCK, self);
    const queued = this.sink.queue(group, domain);
    mutexLock(words, at + PARAM_LOCK, self);
    if (!queued) {
      this.freeGroup(group);
      this.unlistCopy(at, copy);
      return NO_MEMORY;
    }
    this.books.groups++;
    return 0;
  }

  groupDomain(group: number): number {
    return groupDomainOf(this.words[this.requestAt(group) + GROUP_STATE]);
  }

  respondGroup(group: number, code: ResponseCode): boolean {
    const device = this.words[this.requestAt(group) + FAULT_DEVICE];
    const param = this.#get(device);
    if (param === 0) {
      this.books.late++;
      return false;
    }
    const answered = this.answerListed(this.paramAt(param), group, code);
    this.#put(device, param);
    return answered;
  }

  addDevice(device: number): boolean {
    const fresh = this.allocParam(device);
    this.words[this.paramAt(fresh) + PARAM_USERS] = 1;
    return this.installLocked(device, fresh);
  }

  removeDevice(device: number): 'removed' | 'busy' {
    this.system.checkDevice('removeDevice', device);
    const at = this.deviceAt(device);
    mutexLock(this.words, at + DEVICE_PARAM_LOCK, this.self);
    const param = Atomics.load(this.words, at + DEVICE_PARAM);
    const result = this.detachParam(device);
    mutexUnlock(this.words, at + DEVICE_PARAM_LOCK, this.self);
    if (param !== 0 && result === 'removed') this.#put(device, param);
    return result;
  }

  /** iopf_queue_discard_dev_pasid(): answers what is listed and frees the copies. A worker's later search finds nothing. */
  respondPending(device: number, code: ResponseCode): number {
    this.system.checkDevice('respondPending', device);
    const param = this.#get(device);
    if (param === 0) return 0;
    const { words, self, objects } = this;
    const at = this.paramAt(param);
    let answered = 0;
    mutexLock(words, at + PARAM_LOCK, self);
    let index = listHead(words, at);
    while (index !== 0) {
      const next = listNext(words, objects, index);
      this.ops.pageResponse(this.requestAt(index), code);
      this.unlistCopy(at, index);
      this.countCode(code);
      answered++;
      index = next;
    }
    mutexUnlock(words, at + PARAM_LOCK, self);
    this.#put(device, param);
    this.books.voided += answered;
    return answered;
  }
}
