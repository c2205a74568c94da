import { ERRNO } from '../../errors/index.ts';
import { mutexLock, mutexUnlock } from '../../sync/index.ts';
import { listAppend, listHead, listNext, listRemove } from '../fault-list.ts';
import { DEVICE_PARAM, GROUP_FAULTS, PARAM_LENGTH, PARAM_LOCK, REQUEST_WORDS } from '../layout.ts';
import { ALL_GROUPS, freeMembers, partialsDrop } from '../partial-list.ts';
import {
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAG_RESPONSE_NEEDS_PASID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PASID,
  type ResponseCode,
} from '../record.ts';
import { FaultPathBase } from './base.ts';

/** What `locked` and `v7` have in common: a device lists a copy of each last request, and the answer searches that list. */
export abstract class ListedFaultPath extends FaultPathBase {
  prepareFault(): number {
    return this.system.stack;
  }

  /** Copies the last request onto the device's list. Context: fault lock. @returns the copy, 0 without memory. */
  protected listCopy(param: number, recordAt: number): number {
    const copy = this.system.requestCache.alloc();
    if (copy === 0) return 0;
    this.copyRecord(this.requestAt(copy), recordAt);
    listAppend(this.words, this.objects, param, copy);
    return copy;
  }

  protected unlistCopy(param: number, copy: number): void {
    listRemove(this.words, this.objects, param, copy);
    this.system.requestCache.free(copy);
  }

  /** The linear search: same group id, and same PASID where the request said that its answer needs one. Context: fault lock. */
  protected findListed(param: number, recordAt: number): number {
    const { words, objects } = this;
    const grpid = words[recordAt + FAULT_GRPID];
    const pasid = words[recordAt + FAULT_PASID];
    let steps = 1;
    let index = listHead(words, param);
    while (index !== 0) {
      const at = objects + index * REQUEST_WORDS;
      if (
        words[at + FAULT_GRPID] === grpid &&
        ((words[at + FAULT_FLAGS] & FAULT_FLAG_RESPONSE_NEEDS_PASID) === 0 ||
          ((words[at + FAULT_FLAGS] & FAULT_FLAG_PASID_VALID) !== 0 && words[at + FAULT_PASID] === pasid))
      )
        break;
      index = listNext(words, objects, index);
      steps++;
    }
    this.books.steps += steps;
    this.books.searches++;
    return index;
  }

  /** Searches, answers under the fault lock, frees the copy. @returns false when nothing matched. */
  protected answerListed(param: number, group: number, code: ResponseCode): boolean {
    const { words, self } = this;
    const recordAt = this.requestAt(group);
    mutexLock(words, param + PARAM_LOCK, self);
    const copy = this.findListed(param, recordAt);
    if (copy !== 0) {
      this.ops.pageResponse(this.requestAt(copy), code);
      this.unlistCopy(param, copy);
    }
    mutexUnlock(words, param + PARAM_LOCK, self);
    if (copy === 0) {
      this.books.late++;
      return false;
    }
    this.books.answered++;
    this.countCode(code);
    return true;
  }

  freeGroup(group: number): void {
    freeMembers(this.words, this.objects, this.requestAt(group), this.system.requestCache);
    this.system.requestCache.free(group);
  }

  /** Starts a group from the last request: a second copy of it. @returns 0 without memory. */
  protected allocGroup(recordAt: number): number {
    const group = this.system.requestCache.alloc();
    if (group === 0) return 0;
    const at = this.requestAt(group);
    this.copyRecord(at, recordAt);
    this.words[at + GROUP_FAULTS] = 0;
    return group;
  }

  flushDomain(): number {
    return -1;
  }

  /** Takes the device's fault_param off. Context: the device's parameter lock. */
  protected detachParam(device: number): 'removed' | 'busy' {
    const { words, self } = this;
    const deviceAt = this.deviceAt(device);
    const param = Atomics.load(words, deviceAt + DEVICE_PARAM);
    if (param === 0) return 'removed';
    const at = this.paramAt(param);
    mutexLock(words, at + PARAM_LOCK, self);
    const busy = words[at + PARAM_LENGTH] !== 0;
    if (!busy) this.books.dropped += partialsDrop(words, this.objects, at, ALL_GROUPS, this.system.requestCache);
    mutexUnlock(words, at + PARAM_LOCK, self);
    if (busy) return 'busy';
    Atomics.store(words, deviceAt + DEVICE_PARAM, 0);
    return 'removed';
  }
}

export const NO_DEVICE: number = -ERRNO.ENODEV;
export const NO_MEMORY: number = -ERRNO.ENOMEM;
export const INVALID: number = -ERRNO.EINVAL;
