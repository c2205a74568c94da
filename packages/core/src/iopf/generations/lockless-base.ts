import { ERRNO } from '../../errors/index.ts';
import { DEVICE_PARAM, GROUP_FAULTS, HANDLER_NONE, REQUEST_WORDS } from '../layout.ts';
import { freeMembers } from '../partial-list.ts';
import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_PASID,
  RESPONSE_FAILURE,
  RESPONSE_INVALID,
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
      if (event !== 0) this.setAside(param, event); // point 4
      this.putParam(param);
      return event !== 0 ? 0 : NO_MEMORY;
    }
    const domain = event === 0 ? 0 : this.#domain;
    if (domain === 0) {
      this.forget(param, recordAt);
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
    super.endBatch();
  }

  /** Takes a reference on the fault_param: the group's, or the report's own. @returns false when it is going away. */
  protected abstract getParam(param: number): boolean;
  protected abstract putParam(param: number): void;
  /** Sets a request aside. */
  protected abstract setAside(param: number, event: number): void;
  /** Drops what was set aside for the record's group: its last request is refused. */
  protected abstract forget(param: number, recordAt: number): void;
  /** Points 5 to 7. @returns false when the sink has no room; the group then stands answered to nobody, for the caller to answer. */
  protected abstract publishGroup(param: number, event: number, domain: number): boolean;
  abstract respondGroup(group: number, code: 0 | 1 | 2): boolean;
  abstract freeGroup(group: number): void;

  /** A request without LAST_PAGE is never answered alone. */
  #dropEvent(event: number): number {
    this.books.dropped++;
    if (event !== 0) this.system.requestCache.free(event);
    return INVALID;
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
