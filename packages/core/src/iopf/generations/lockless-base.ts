import { ERRNO } from '../../errors/index.ts';
import { mutexLock, mutexUnlock } from '../../sync/index.ts';
import { DEVICE_PARAM, GROUP_FAULTS, HANDLER_NONE, PARAM_LOCK, PARAM_PARTIALS, REQUEST_WORDS } from '../layout.ts';
import { ALL_GROUPS, freeMembers, partialAdd, partialsDrop } from '../partial-list.ts';
import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PASID,
  RESPONSE_FAILURE,
  RESPONSE_INVALID,
  type ResponseCode,
} from '../record.ts';
import { FaultPathBase } from './base.ts';
import type { Generation } from './fault-path.ts';

const LG_REQUEST_WORDS = Math.log2(REQUEST_WORDS);
const NO_MEMORY = -ERRNO.ENOMEM;
const INVALID = -ERRNO.EINVAL;

/** The eight points of seed 000, whole. What its two forms share: the order of the steps.
 *
 * 1. the event is allocated first, and filled in place by the driver: each request exists once in memory, never copied;
 * 2. the fault_param is found without a lock, counted, installed by one compare-exchange, freed by RCU;
 * 3. what changes a device's lists runs under its fault lock (or belongs to one thread, or is one compare-exchange);
 * 4. a request without LAST_PAGE is set aside first of all;
 * 5. the group is assembled once: the event of its last request is the group;
 * 6. the domain is found without a lock, and counted pending before the read section ends;
 * 7. the group itself goes to the work queue, and is what the device lists;
 * 8. the answer is given the group: nothing is searched.
 * @see linux-iommu, Jason Gunthorpe, 1 December 2023 */
export abstract class LocklessBase extends FaultPathBase {
  readonly generation: Generation = 'lockless';
  override readonly countsPending: boolean = true;
  /** The event that the driver is filling, 0 for none: kept when the driver found nothing to report. */
  #prepared = 0;

  /** Point 1. Without memory the driver fills this thread's scratch record, and the report answers Failure. */
  prepareFault(): number {
    if (this.#prepared === 0) {
      this.#prepared = this.system.requestCache.alloc();
      if (this.#prepared === 0) return this.system.stack;
    }
    return this.objects + this.#prepared * REQUEST_WORDS;
  }

  reportDeviceFault(recordAt: number): number {
    const { words } = this;
    this.books.reported++;
    const event = recordAt === this.system.stack ? 0 : (recordAt - this.objects) >> LG_REQUEST_WORDS;
    this.#prepared = 0;
    // Point 2. No quiescent state is passed until the batch ends: whatever is found stays in place, and is found once a batch.
    const pasid = (words[recordAt + FAULT_FLAGS] & FAULT_FLAG_PASID_VALID) !== 0 ? words[recordAt + FAULT_PASID] : 0;
    if (words[recordAt + FAULT_DEVICE] !== this.#device || pasid !== this.#pasid) this.#lookUp(recordAt, pasid);
    const param = this.#param;
    const last = (words[recordAt + FAULT_FLAGS] & FAULT_FLAG_LAST_PAGE) !== 0;
    if (param === 0 || !this.getParam(param)) {
      if (last) return this.#refuseEvent(event, recordAt, RESPONSE_INVALID, INVALID);
      return this.#dropEvent(event); // its last request will be answered
    }
    if (!last) {
      if (event !== 0) this.#setAside(param, event); // point 4
      this.putParam(param);
      return event !== 0 ? 0 : NO_MEMORY;
    }
    const domain = event === 0 ? 0 : this.#domain;
    if (domain === 0) {
      this.#forget(param, recordAt);
      this.putParam(param);
      return event === 0
        ? this.#refuseEvent(0, recordAt, RESPONSE_FAILURE, 0)
        : this.#refuseEvent(event, recordAt, RESPONSE_INVALID, INVALID);
    }
    if (!this.publishGroup(param, event, domain)) {
      this.respondGroup(event, RESPONSE_FAILURE);
      this.freeGroup(event);
      return 0;
    }
    this.books.groups++;
    return 0;
  }

  // What the last look-up of this batch found. A read section may use a pointer for as long as it lasts: whoever takes it away
  // waits for this thread's quiescent state. Forgotten before that.
  #device = 0;
  #pasid = 0;
  #param = 0;
  #domain = 0;

  /** Finds the fault_param, and the domain attached at the PASID if it can fault. Takes no lock. */
  #lookUp(recordAt: number, pasid: number): void {
    const device = this.words[recordAt + FAULT_DEVICE];
    this.#device = device;
    this.#pasid = pasid;
    this.#param = this.knowsDevice(device) ? this.loadParam(device) : 0;
    const domain = this.#param === 0 ? 0 : this.handleDomain(this.findHandle(recordAt));
    this.#domain = domain === 0 || this.domainHandler(domain) === HANDLER_NONE ? 0 : domain;
  }

  override endBatch(): void {
    this.#device = 0;
    this.#param = 0; // for a record that names device 0: it finds nothing, and not what was there before
    super.endBatch();
  }

  /** Takes a reference on the fault_param: the group's, or the report's own. @returns false when it is going away. */
  protected abstract getParam(param: number): boolean;
  protected abstract putParam(param: number): void;
  /** Lets go of what keeps a fault_param that no device points at any more. */
  protected abstract dropBase(param: number): void;
  /** Answers the pending groups of a fault_param, of one domain or (0) of all, and marks them void. */
  protected abstract respondMatching(param: number, domain: number, code: ResponseCode): number;
  /** Points 5 to 7. @returns false when the sink has no room; the group then stands answered to nobody, for the caller to answer. */
  protected abstract publishGroup(param: number, event: number, domain: number): boolean;
  abstract respondGroup(group: number, code: ResponseCode): boolean;
  abstract freeGroup(group: number): void;

  /** A request without LAST_PAGE is never answered alone. */
  #dropEvent(event: number): number {
    this.books.dropped++;
    if (event !== 0) this.system.requestCache.free(event);
    return INVALID;
  }

  #setAside(param: number, event: number): void {
    const at = this.paramAt(param);
    mutexLock(this.words, at + PARAM_LOCK, this.self);
    partialAdd(this.words, this.objects, at, event);
    mutexUnlock(this.words, at + PARAM_LOCK, this.self);
  }

  /** Drops what was set aside for the record's group: its last request is refused. */
  #forget(param: number, recordAt: number): void {
    const at = this.paramAt(param);
    if (this.words[at + PARAM_PARTIALS] !== 0) this.#dropPartials(at, this.words[recordAt + FAULT_GRPID]);
  }

  #dropPartials(at: number, grpid: number): void {
    mutexLock(this.words, at + PARAM_LOCK, this.self);
    this.books.dropped += partialsDrop(this.words, this.objects, at, grpid, this.system.requestCache);
    mutexUnlock(this.words, at + PARAM_LOCK, this.self);
  }

  removeDevice(device: number): 'removed' | 'held' {
    this.respondPending(device, RESPONSE_INVALID);
    const param = Atomics.exchange(this.words, this.deviceAt(device) + DEVICE_PARAM, 0);
    if (param === 0) return 'removed';
    this.#dropPartials(this.paramAt(param), ALL_GROUPS);
    this.dropBase(param);
    return 'held';
  }

  respondPending(device: number, code: ResponseCode): number {
    this.system.checkDevice('respondPending', device);
    return this.#respond(this.loadParam(device), 0, code);
  }

  flushDomain(device: number, domain: number, code: ResponseCode): number {
    this.system.checkDevice('flushDomain', device);
    return this.#respond(this.loadParam(device), this.system.checkDomain('flushDomain', domain), code);
  }

  #respond(param: number, domain: number, code: ResponseCode): number {
    return param === 0 ? 0 : this.respondMatching(param, domain, code);
  }

  #refuseEvent(event: number, recordAt: number, code: 1 | 2, errno: number): number {
    this.refuse(recordAt, code);
    if (event !== 0) this.system.requestCache.free(event);
    return errno;
  }

  protected freeEvent(group: number): void {
    const at = this.requestAt(group);
    if (this.words[at + GROUP_FAULTS] !== 0) freeMembers(this.words, this.objects, at, this.system.requestCache);
    this.system.requestCache.free(group);
  }

  /** Point 2: whoever's compare-exchange finds nothing there installs its own; everyone else frees theirs unseen. */
  protected install(device: number, fresh: number): boolean {
    const at = this.deviceAt(device) + DEVICE_PARAM;
    if (Atomics.compareExchange(this.words, at, 0, fresh) === 0) return true;
    this.system.paramCache.free(fresh);
    return false;
  }

  override close(): void {
    this.endBatch();
    if (this.#prepared !== 0) this.system.requestCache.free(this.#prepared);
    this.#prepared = 0;
    super.close();
  }
}
