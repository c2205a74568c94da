import { mutexLock, mutexUnlock, refcountIncNotZero, refcountInit, refcountPut } from '../../sync/index.ts';
import { listAppend, listHead, listNext, listRemove } from '../fault-list.ts';
import {
  DEVICE_PARAM,
  GROUP_ANSWERED,
  GROUP_PENDING,
  GROUP_STATE,
  GROUP_VOID,
  groupDomainOf,
  groupParamOf,
  groupStateOf,
  PARAM_LOCK,
  PARAM_USERS,
  packGroupState,
} from '../layout.ts';
import { partialAdd, partialsDrop, partialsToGroup } from '../partial-list.ts';
import { FAULT_GRPID, RESPONSE_INVALID, type ResponseCode } from '../record.ts';
import type { FaultPath } from './fault-path.ts';
import { LocklessBase } from './lockless-base.ts';

/** Seed 000 to the letter: one reference count, one pending counter, one free list, and the device's groups on one list under
 * its fault lock, for the report and for the answer. Kept beside the split form so that the difference is measured. */
export class LocklessSharedFaultPath extends LocklessBase implements FaultPath {
  protected setAside(param: number, event: number): void {
    const at = this.paramAt(param);
    mutexLock(this.words, at + PARAM_LOCK, this.self);
    partialAdd(this.words, this.objects, at, event);
    mutexUnlock(this.words, at + PARAM_LOCK, this.self);
  }

  protected forget(param: number, recordAt: number): void {
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
  }

  protected getParam(param: number): boolean {
    return refcountIncNotZero(this.words, this.paramAt(param) + PARAM_USERS);
  }

  protected publishGroup(param: number, event: number, domain: number): boolean {
    const { words } = this;
    const groupAt = this.requestAt(event);
    const at = this.paramAt(param);
    mutexLock(words, at + PARAM_LOCK, this.self);
    partialsToGroup(words, this.objects, at, event, words[groupAt + FAULT_GRPID]);
    this.system.pending.add(domain, 1);
    words[groupAt + GROUP_STATE] = packGroupState(GROUP_PENDING, domain, param);
    listAppend(words, this.objects, at, event);
    mutexUnlock(words, at + PARAM_LOCK, this.self);
    return this.sink.queue(event, domain);
  }

  groupDomain(group: number): number {
    return groupDomainOf(this.words[this.requestAt(group) + GROUP_STATE]);
  }

  respondGroup(group: number, code: ResponseCode): boolean {
    const { words } = this;
    const groupAt = this.requestAt(group);
    const at = this.paramAt(groupParamOf(words[groupAt + GROUP_STATE]));
    mutexLock(words, at + PARAM_LOCK, this.self);
    const pending = groupStateOf(words[groupAt + GROUP_STATE]) === GROUP_PENDING;
    if (pending) this.#answer(at, group, code, GROUP_ANSWERED);
    mutexUnlock(words, at + PARAM_LOCK, this.self);
    if (pending) this.books.answered++;
    else this.books.late++;
    return pending;
  }

  /** Context: fault lock, the group pending. */
  #answer(param: number, group: number, code: ResponseCode, state: number): void {
    const { words } = this;
    const at = this.requestAt(group);
    this.ops.pageResponse(at, code);
    listRemove(words, this.objects, param, group);
    const seen = words[at + GROUP_STATE];
    words[at + GROUP_STATE] = packGroupState(state, groupDomainOf(seen), groupParamOf(seen));
    this.countCode(code);
  }

  freeGroup(group: number): void {
    const seen = this.words[this.requestAt(group) + GROUP_STATE];
    this.freeEvent(group);
    this.putParam(groupParamOf(seen));
    this.system.pending.sub(groupDomainOf(seen), 1);
  }

  /** After the last put only readers still in their section can hold the index, and they end with the grace period. */
  protected putParam(param: number): void {
    if (!refcountPut(this.words, this.paramAt(param) + PARAM_USERS)) return;
    this.system.paramCache.retire(param);
    this.system.deferredParams.defer(param);
  }

  addDevice(device: number): boolean {
    const fresh = this.allocParam(device);
    refcountInit(this.words, this.paramAt(fresh) + PARAM_USERS, 1);
    return this.install(device, fresh);
  }

  removeDevice(device: number): 'removed' | 'held' {
    this.respondPending(device, RESPONSE_INVALID);
    const { words } = this;
    const param = Atomics.exchange(words, this.deviceAt(device) + DEVICE_PARAM, 0);
    if (param === 0) return 'removed';
    const at = this.paramAt(param);
    mutexLock(words, at + PARAM_LOCK, this.self);
    this.books.dropped += partialsDrop(words, this.objects, at, -1, this.system.requestCache);
    mutexUnlock(words, at + PARAM_LOCK, this.self);
    this.putParam(param);
    return 'held';
  }

  respondPending(device: number, code: ResponseCode): number {
    this.system.checkDevice('respondPending', device);
    return this.#respondMatching(this.loadParam(device), 0, code);
  }

  flushDomain(device: number, domain: number, code: ResponseCode): number {
    this.system.checkDevice('flushDomain', device);
    return this.#respondMatching(this.loadParam(device), this.system.checkDomain('flushDomain', domain), code);
  }

  #respondMatching(param: number, domain: number, code: ResponseCode): number {
    if (param === 0) return 0;
    const { words, objects } = this;
    const at = this.paramAt(param);
    let answered = 0;
    mutexLock(words, at + PARAM_LOCK, this.self);
    let index = listHead(words, at);
    while (index !== 0) {
      const next = listNext(words, objects, index);
      if (domain === 0 || groupDomainOf(words[this.requestAt(index) + GROUP_STATE]) === domain) {
        this.#answer(at, index, code, GROUP_VOID);
        answered++;
      }
      index = next;
    }
    mutexUnlock(words, at + PARAM_LOCK, this.self);
    this.books.voided += answered;
    return answered;
  }
}
