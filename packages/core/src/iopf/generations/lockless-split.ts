import { mutexLock, mutexUnlock } from '../../sync/index.ts';
import {
  GROUP_ANSWERED,
  GROUP_COUNT,
  GROUP_FAULTS,
  GROUP_PENDING,
  GROUP_STATE,
  GROUP_VOID,
  groupDomainOf,
  groupParamOf,
  groupStateOf,
  PARAM_LOCK,
  PARAM_PARTIALS,
  packGroupState,
} from '../layout.ts';
import { partialsToGroup } from '../partial-list.ts';
import { FAULT_GRPID, type ResponseCode } from '../record.ts';
import type { FaultPath } from './fault-path.ts';
import { LocklessBase } from './lockless-base.ts';

// Ordering. Slab objects are plain words but STATE.
//   [G] publishGroup: record, members, then STATE = PENDING     pairs with  respondPending: STATE, then the record. (The holder
//       has the group through the work ring: its PROD publishes all of this to it.)
//   [X] respondGroup and respondPending: compare-exchange PENDING -> ANSWERED | VOID: one of them wins, and alone answers
//   [N] publishGroup: counters, then the work ring's PROD        pairs with  removal: grace period, then the counters' sum
//
// The device's list is the slab itself: STATE names the fault_param, so whoever must answer all of a device's groups walks the
// slab, which only PRI-off, removal and the light flush do. The fault path pays nothing for a list.

/** Lock-free on the way of a last request: each thread counts on its own lines, the state of a group is one word. */
export class LocklessSplitFaultPath extends LocklessBase implements FaultPath {
  /** Never refused: the pointer was seen in this read section, and removal sums the counters only after a grace period. */
  protected getParam(param: number): boolean {
    this.#countReport(param, 0, 1);
    return true;
  }
  protected putParam(param: number): void {
    this.#countReport(param, 0, -1);
  }

  // Counts are kept for one device and domain at a time, and stored when another comes or the batch ends: up before the work
  // ring shows the groups [N], down after they are free. A thread passes no quiescent state in between.
  #reportParam = 0;
  #reportDomain = 0;
  #reportReferences = 0;
  #reportPending = 0;

  #countReport(param: number, domain: number, references: number): void {
    if (param !== this.#reportParam || (domain !== 0 && domain !== this.#reportDomain)) {
      this.#storeCounts();
      this.#reportParam = param;
      this.#reportDomain = domain;
    }
    this.#reportReferences += references;
    if (domain !== 0) this.#reportPending++;
  }

  #storeCounts(): void {
    const { references, pending } = this.system;
    if (this.#reportReferences > 0) references.add(this.#reportParam, this.#reportReferences);
    else if (this.#reportReferences < 0) references.sub(this.#reportParam, -this.#reportReferences);
    if (this.#reportPending > 0) pending.add(this.#reportDomain, this.#reportPending);
    this.#reportReferences = 0;
    this.#reportPending = 0;
  }

  override endBatch(): void {
    this.#storeCounts();
    this.#storeFreed();
    super.endBatch();
  }

  protected publishGroup(param: number, event: number, domain: number): boolean {
    const { words } = this;
    const groupAt = this.requestAt(event);
    const at = this.paramAt(param);
    if (words[at + PARAM_PARTIALS] === 0) {
      words[groupAt + GROUP_FAULTS] = 0;
      words[groupAt + GROUP_COUNT] = 1;
    } else {
      mutexLock(words, at + PARAM_LOCK, this.self);
      partialsToGroup(words, this.objects, at, event, words[groupAt + FAULT_GRPID]);
      mutexUnlock(words, at + PARAM_LOCK, this.self);
    }
    this.#countReport(param, domain, 0);
    Atomics.store(words, groupAt + GROUP_STATE, packGroupState(GROUP_PENDING, domain, param)); // [G]
    return this.sink.queue(event, domain);
  }

  // The state word as groupDomain saw it: a guess, as it is read plainly, that the answer's compare-exchange confirms. Domain and
  // fault_param in it are as [G] published them.
  #seenGroup = 0;
  #seenState = 0;

  groupDomain(group: number): number {
    this.#seenGroup = group;
    this.#seenState = this.words[this.requestAt(group) + GROUP_STATE];
    return groupDomainOf(this.#seenState);
  }

  respondGroup(group: number, code: ResponseCode): boolean {
    const at = this.requestAt(group);
    const seen = group === this.#seenGroup ? this.#seenState : this.words[at + GROUP_STATE];
    this.#seenGroup = 0;
    if (groupStateOf(seen) !== GROUP_PENDING || !this.#claim(at, seen, GROUP_ANSWERED)) {
      this.books.late++;
      return false;
    }
    this.ops.pageResponse(at, code);
    this.books.answered++;
    this.countCode(code);
    return true;
  }

  #claim(at: number, seen: number, state: number): boolean {
    const next = packGroupState(state, groupDomainOf(seen), groupParamOf(seen));
    return Atomics.compareExchange(this.words, at + GROUP_STATE, seen, next) === seen; // [X]
  }

  /** Nobody can hold the group: the holder is the caller, and an answered or void STATE makes the walks pass it by. Its counts
   * go last, in {@link endBatch}: when a domain's is zero, none of its groups exists any more.
   * STATE is read plainly: the holder's own compare-exchange, won or lost, was the last that could change it. */
  freeGroup(group: number): void {
    const seen = this.words[this.requestAt(group) + GROUP_STATE];
    this.freeEvent(group);
    this.#countFree(groupParamOf(seen), groupDomainOf(seen));
  }

  #freeParam = 0;
  #freeDomain = 0;
  #freed = 0;

  #countFree(param: number, domain: number): void {
    if (param !== this.#freeParam || domain !== this.#freeDomain) {
      this.#storeFreed();
      this.#freeParam = param;
      this.#freeDomain = domain;
    }
    this.#freed++;
  }

  #storeFreed(): void {
    if (this.#freed === 0) return;
    this.system.references.sub(this.#freeParam, this.#freed);
    this.system.pending.sub(this.#freeDomain, this.#freed);
    this.#freed = 0;
  }

  addDevice(device: number): boolean {
    return this.install(device, this.allocParam(device));
  }

  protected dropBase(param: number): void {
    this.#removed.push(param);
  }

  /** Taken off, but groups still count on them. Freed when the sum is zero: no report can add (the source is fenced). */
  readonly #removed: number[] = [];

  override releaseOwn(): boolean {
    this.#storeCounts();
    this.#storeFreed();
    for (let i = this.#removed.length - 1; i >= 0; i--) {
      const param = this.#removed[i];
      if (this.system.references.read(param) !== 0) continue;
      this.#removed.splice(i, 1);
      this.system.paramCache.retire(param);
      this.system.deferredParams.defer(param);
    }
    super.releaseOwn();
    return this.#removed.length === 0;
  }

  /** Walks the slab. A slot that is free holds no PENDING: not as it was left, and not poisoned either. One that is recycled under
   * the walk holds another state, domain or device, and the compare-exchange fails: the caller's fence says that no new group of
   * this device (and this domain) can appear. */
  protected respondMatching(param: number, domain: number, code: ResponseCode): number {
    const { words } = this;
    const { capacity } = this.system.requests;
    let answered = 0;
    for (let index = 1; index <= capacity; index++) {
      const at = this.requestAt(index);
      const seen = Atomics.load(words, at + GROUP_STATE);
      if (groupStateOf(seen) !== GROUP_PENDING || groupParamOf(seen) !== param) continue;
      if (domain !== 0 && groupDomainOf(seen) !== domain) continue;
      // Copied before the claim: once the group is void its holder may free it, and the slot be another's. What is copied from a
      // slot that goes meanwhile is never used, as the claim then fails.
      this.copyRecord(this.system.stack, at);
      if (!this.#claim(at, seen, GROUP_VOID)) continue;
      this.ops.pageResponse(this.system.stack, code);
      this.countCode(code);
      answered++;
    }
    this.books.voided += answered;
    return answered;
  }
}
