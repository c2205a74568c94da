import { mutexLock, mutexUnlock, refcountIncNotZero, refcountInit, refcountPut } from '../../sync/index.ts';
import { listAppend } from '../fault-list.ts';
import {
  GROUP_PENDING,
  GROUP_STATE,
  groupDomainOf,
  groupParamOf,
  PARAM_LOCK,
  PARAM_USERS,
  packGroupState,
} from '../layout.ts';
import { partialsToGroup } from '../partial-list.ts';
import { FAULT_GRPID, type ResponseCode } from '../record.ts';
import type { FaultPath } from './fault-path.ts';
import { LocklessBase } from './lockless-base.ts';

/** Seed 000 to the letter: one reference count, one pending counter, one free list, and the device's groups on one list under
 * its fault lock, for the report and for the answer. Kept beside the split form so that the difference is measured. */
export class LocklessSharedFaultPath extends LocklessBase implements FaultPath {
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
    return this.respondListedGroup(group, code);
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

  protected dropBase(param: number): void {
    this.putParam(param);
  }

  protected respondMatching(param: number, domain: number, code: ResponseCode): number {
    return this.respondListedGroups(param, domain, code);
  }
}
