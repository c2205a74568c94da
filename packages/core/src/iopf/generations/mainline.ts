import { ERRNO } from '../../errors/index.ts';
import { mutexLock, mutexUnlock, refcountIncNotZero, refcountInit, refcountPut } from '../../sync/index.ts';
import { listAppend } from '../fault-list.ts';
import {
  DEVICE_PARAM,
  DEVICE_PARAM_LOCK,
  GROUP_FAULTS,
  GROUP_PENDING,
  GROUP_STATE,
  groupDomainOf,
  groupParamOf,
  HANDLER_NONE,
  PARAM_LOCK,
  PARAM_USERS,
  packGroupState,
} from '../layout.ts';
import { ALL_GROUPS, freeMembers, partialAdd, partialsDrop, partialsToGroup } from '../partial-list.ts';
import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAGS,
  FAULT_GRPID,
  RESPONSE_FAILURE,
  RESPONSE_INVALID,
  type ResponseCode,
} from '../record.ts';
import { FaultPathBase } from './base.ts';
import type { FaultPath, Generation } from './fault-path.ts';

const NO_MEMORY = -ERRNO.ENOMEM;
const INVALID = -ERRNO.EINVAL;

/** As Linux is today (v7.0). The group is the unit: it stands on the device's list itself and carries its own answer. The
 * parameter is found under RCU and counted; the attach handle is found under the array's lock; the fault lock is taken once a
 * report and once an answer. @see Linux v7.0 drivers/iommu/io-pgfault.c */
export class MainlineFaultPath extends FaultPathBase implements FaultPath {
  readonly generation: Generation = 'mainline';

  prepareFault(): number {
    return this.system.stack;
  }

  /** Context: an RCU read section (this thread has not passed a quiescent state since). */
  #get(device: number): number {
    const param = this.loadParam(device);
    return param !== 0 && refcountIncNotZero(this.words, this.paramAt(param) + PARAM_USERS) ? param : 0;
  }

  /** The last put: the pointer was cleared before the base reference went, so only readers that are still in their section
   * can hold the index. They fail to take a reference, and are gone after the grace period. */
  #put(param: number): void {
    if (!refcountPut(this.words, this.paramAt(param) + PARAM_USERS)) return;
    this.system.paramCache.retire(param);
    this.system.deferredParams.defer(param);
  }

  reportDeviceFault(recordAt: number): number {
    const { words, self, objects } = this;
    this.books.reported++;
    const device = words[recordAt + FAULT_DEVICE];
    if (!this.knowsDevice(device)) {
      this.refuse(recordAt, RESPONSE_INVALID);
      return INVALID;
    }
    const domain = this.handleDomain(this.findHandleLocked(recordAt));
    if (domain === 0 || this.domainHandler(domain) === HANDLER_NONE) {
      this.refuse(recordAt, RESPONSE_INVALID);
      return INVALID;
    }
    const param = this.#get(device);
    if (param === 0) {
      this.refuse(recordAt, RESPONSE_INVALID);
      return INVALID;
    }
    const at = this.paramAt(param);
    const cache = this.system.requestCache;
    const group = cache.alloc();
    if ((words[recordAt + FAULT_FLAGS] & FAULT_FLAG_LAST_PAGE) === 0) {
      if (group !== 0) {
        this.copyRecord(this.requestAt(group), recordAt);
        mutexLock(words, at + PARAM_LOCK, self);
        partialAdd(words, objects, at, group);
        mutexUnlock(words, at + PARAM_LOCK, self);
      }
      this.#put(param);
      return group !== 0 ? 0 : NO_MEMORY;
    }
    if (group === 0) return this.#abort(param, recordAt);
    const groupAt = this.requestAt(group);
    this.copyRecord(groupAt, recordAt);
    words[groupAt + GROUP_STATE] = packGroupState(GROUP_PENDING, domain, param);
    mutexLock(words, at + PARAM_LOCK, self);
    partialsToGroup(words, objects, at, group, words[recordAt + FAULT_GRPID]);
    listAppend(words, objects, at, group);
    mutexUnlock(words, at + PARAM_LOCK, self);
    if (!this.sink.queue(group, domain)) {
      this.respondGroup(group, RESPONSE_FAILURE);
      this.freeGroup(group);
      return 0;
    }
    this.books.groups++;
    return 0;
  }

  /** No memory for a group: what was set aside for it goes, and the device is told to stop. */
  #abort(param: number, recordAt: number): number {
    const at = this.paramAt(param);
    const { words } = this;
    mutexLock(words, at + PARAM_LOCK, this.self);
    this.books.dropped += partialsDrop(
      words,
      this.objects,
      at,
      words[recordAt + FAULT_GRPID],
      this.system.requestCache,
    );
    mutexUnlock(words, at + PARAM_LOCK, this.self);
    this.refuse(recordAt, RESPONSE_FAILURE);
    this.#put(param);
    return 0;
  }

  groupDomain(group: number): number {
    return groupDomainOf(this.words[this.requestAt(group) + GROUP_STATE]);
  }

  respondGroup(group: number, code: ResponseCode): boolean {
    return this.respondListedGroup(group, code);
  }

  freeGroup(group: number): void {
    const { words } = this;
    const groupAt = this.requestAt(group);
    const param = groupParamOf(words[groupAt + GROUP_STATE]);
    if (words[groupAt + GROUP_FAULTS] !== 0) freeMembers(words, this.objects, groupAt, this.system.requestCache);
    this.#put(param);
    this.system.requestCache.free(group);
  }

  addDevice(device: number): boolean {
    const fresh = this.allocParam(device);
    refcountInit(this.words, this.paramAt(fresh) + PARAM_USERS, 1);
    return this.installLocked(device, fresh);
  }

  removeDevice(device: number): 'removed' | 'held' {
    this.respondPending(device, 1);
    const { words, self } = this;
    const at = this.deviceAt(device);
    mutexLock(words, at + DEVICE_PARAM_LOCK, self);
    const param = Atomics.exchange(words, at + DEVICE_PARAM, 0);
    mutexUnlock(words, at + DEVICE_PARAM_LOCK, self);
    if (param === 0) return 'removed';
    const paramAt = this.paramAt(param);
    mutexLock(words, paramAt + PARAM_LOCK, self);
    this.books.dropped += partialsDrop(words, this.objects, paramAt, ALL_GROUPS, this.system.requestCache);
    mutexUnlock(words, paramAt + PARAM_LOCK, self);
    this.#put(param);
    return 'held';
  }

  respondPending(device: number, code: ResponseCode): number {
    return this.#respondAll('respondPending', device, 0, code);
  }

  flushDomain(device: number, domain: number, code: ResponseCode): number {
    return this.#respondAll('flushDomain', device, this.system.checkDomain('flushDomain', domain), code);
  }

  /** Unlike v7.0, which frees what it answered here, the group stays with its holder, void: a worker may have it in hand. */
  #respondAll(call: string, device: number, domain: number, code: ResponseCode): number {
    this.system.checkDevice(call, device);
    const param = this.#get(device);
    if (param === 0) return 0;
    const answered = this.respondListedGroups(param, domain, code);
    this.#put(param);
    return answered;
  }
}
