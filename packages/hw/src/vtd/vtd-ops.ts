import { IommuError } from '@faultline/core/errors';
import {
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PASID,
  FAULT_TOKEN,
  type IommuOps,
  RESPONSE_FAILURE,
  type ResponseCode,
} from '@faultline/core/iopf';
import type { Doorbell, ThreadSelf, Words } from '@faultline/core/sync';
import { firstHi, firstLo, spanLg2 } from '../pcie/ats-range.ts';
import { type Procedure, runProcedure } from '../procedure/procedure.ts';
import type { FieldValues } from '../record/fields.ts';
import {
  ALL_PAGES,
  writeContextInvalidation,
  writeDeviceTlbInvalidation,
  writeIotlbInvalidation,
  writePageGroupResponse,
  writePasidCacheInvalidation,
  writePasidIotlbInvalidation,
  writeWait,
} from './descriptor-codec.ts';
import { InvalidationBatch } from './invalidation-batch.ts';
import { checkTimeoutMs, InvalidationQueue, SLICE_MS } from './invalidation-queue.ts';
import {
  DESCRIPTOR_WORDS,
  encodeInvalidation,
  PASID_CACHE_DOMAIN,
  PASID_CACHE_ONE,
  PGR_FAILURE,
} from './invalidations.ts';
import { THREAD_BAD, VTD_FSTS } from './layout.ts';
import { readFeatures } from './probe.ts';
import { FSTS_QUEUE_ERRORS } from './registers.ts';
import { threadLineAt } from './unit.ts';

/** Responses kept back until they are published. */
const STAGED = 32;

export interface VtdOpsConfig {
  readonly self: ThreadSelf;
  /** The hardware host's doorbell. */
  readonly hardwareDoorbell: Doorbell;
  /** How long to wait for a hardware or a device that does not answer. Default 10 s. */
  readonly timeoutMs?: number;
}

/** The issuing end of one thread: answers, and invalidations gathered into a batch with one wait. Make one a thread. The queue itself is the
 * unit's: what is published goes in under its mutex.
 * @see Linux intel_iommu_page_response(), cache_tag_flush_range() */
export class VtdOps implements IommuOps {
  readonly #words: Words;
  readonly #base: number;
  readonly #queue: InvalidationQueue;
  readonly #batch: InvalidationBatch;
  readonly #refusedAt: number;
  readonly #maxRangeLg2: number;
  readonly #responses: Int32Array = new Int32Array(STAGED * DESCRIPTOR_WORDS);
  #responseCount = 0;

  /** @param thread this thread's number among those that submit, from 0.
   * @throws IommuError EINVAL when there is no such thread. */
  constructor(words: Words, base: number, thread: number, config: VtdOpsConfig) {
    const line = threadLineAt(words, base, thread);
    const timeoutMs = checkTimeoutMs('VtdOps', config.timeoutMs ?? 10_000);
    this.#words = words;
    this.#base = base;
    this.#maxRangeLg2 = readFeatures(words, base).maxInvalidationLg2;
    this.#refusedAt = line + THREAD_BAD;
    this.#queue = new InvalidationQueue(words, base, {
      self: config.self,
      thread,
      hardwareDoorbell: config.hardwareDoorbell,
      timeoutMs,
    });
    this.#batch = new InvalidationBatch(words, base, line, this.#queue, timeoutMs);
  }

  /** Answers a group. The core's FAILURE leaves as 0xF; Linux writes its own number, 2, which is reserved on the wire.
   * TOKEN of the record is the requester's RID. */
  pageResponse(recordAt: number, code: ResponseCode): void {
    const words = this.#words;
    const present = (words[recordAt + FAULT_FLAGS] & FAULT_FLAG_PASID_VALID) !== 0;
    this.respond(
      words[recordAt + FAULT_TOKEN],
      present ? words[recordAt + FAULT_PASID] : -1,
      words[recordAt + FAULT_GRPID],
      code === RESPONSE_FAILURE ? PGR_FAILURE : code,
    );
  }

  /** Queues a page group response. @param pasid or -1; it must be as in the request. @param code PGR_*, or any four bits. */
  respond(rid: number, pasid: number, prgi: number, code: number): void {
    if (this.#responseCount === STAGED) this.flushResponses();
    writePageGroupResponse(this.#responses, this.#responseCount++ * DESCRIPTOR_WORDS, rid, pasid, prgi, code);
  }

  /** Publishes what was queued, with one store. Also where a queue that stands at an error is noticed.
   * @throws IommuError ETIMEDOUT a hardware that takes nothing: what was queued still is */
  flushResponses(): void {
    if (this.#responseCount > 0) {
      this.#queue.put(this.#responses, this.#responseCount);
      this.#responseCount = 0;
    }
    if ((Atomics.load(this.#words, this.#base + VTD_FSTS) & FSTS_QUEUE_ERRORS) !== 0) this.#queue.recover();
  }

  /** Makes the hardware look: after a store that it waits for. */
  kick(): void {
    this.#queue.kick();
  }

  /** Acknowledges the queue's errors: see InvalidationQueue.recover. */
  recover(): boolean {
    return this.#queue.recover();
  }

  /** Descriptors of this thread that the hardware refused. */
  get refused(): number {
    return Atomics.load(this.#words, this.#refusedAt);
  }

  // The batch. What is added takes effect with the next sync, in the order it was added. A batch that is full is synced in between, blocking.

  /** Context cache: one requester's entry, or (-1) all. */
  invalidateContext(rid: number): void {
    writeContextInvalidation(this.#batch.descriptors, this.#claim(), rid);
  }

  /** PASID cache: one PASID of a domain, or (-1) all of the domain's. */
  invalidatePasid(did: number, pasid: number): void {
    const granularity = pasid < 0 ? PASID_CACHE_DOMAIN : PASID_CACHE_ONE;
    writePasidCacheInvalidation(this.#batch.descriptors, this.#claim(), granularity, did, Math.max(pasid, 0));
  }

  /** IOTLB: `pages` pages from a page on, of a PASID, or (-1) of a domain. One descriptor, which may cover more: a power
   * of two of pages, or, beyond what the unit can select, the whole PASID or domain. */
  invalidateRange(did: number, pasid: number, pageLo: number, pageHi: number, pages: number): void {
    const first = pageHi * 2 ** 32 + (pageLo >>> 0);
    const lg2 = spanLg2(first, first + pages - 1);
    if (lg2 > this.#maxRangeLg2) {
      this.invalidateAll(did, pasid);
      return;
    }
    const lo = firstLo(pageLo, lg2);
    const hi = firstHi(pageHi, lg2);
    if (pasid < 0) writeIotlbInvalidation(this.#batch.descriptors, this.#claim(), did, lo, hi, lg2);
    else writePasidIotlbInvalidation(this.#batch.descriptors, this.#claim(), did, pasid, lo, hi, lg2);
  }

  /** IOTLB: a whole PASID, or (-1) a whole domain. */
  invalidateAll(did: number, pasid: number): void {
    if (pasid < 0) writeIotlbInvalidation(this.#batch.descriptors, this.#claim(), did, 0, 0, ALL_PAGES);
    else writePasidIotlbInvalidation(this.#batch.descriptors, this.#claim(), did, pasid, 0, 0, ALL_PAGES);
  }

  /** Device-TLB of a requester: every address, or a range; of a PASID, or (-1) of all. After the IOTLB's, or a device refills from it. */
  invalidateDevice(rid: number, pasid: number, pageLo: number = 0, pageHi: number = 0, pages: number = Infinity): void {
    const first = pageHi * 2 ** 32 + (pageLo >>> 0);
    const lg2 = pages === Infinity ? ALL_PAGES : spanLg2(first, first + pages - 1);
    writeDeviceTlbInvalidation(this.#batch.descriptors, this.#claim(), rid, pasid, pageLo, pageHi, lg2);
  }

  /** A wait without status write, such as the fence that a drain begins with. @param flags WAIT_* */
  wait(flags: number): void {
    writeWait(this.#batch.descriptors, this.#claim(), flags, 0, 0);
  }

  /** Any descriptor by its table. @throws IommuError as encodeInvalidation */
  issue(type: number, values: FieldValues): void {
    encodeInvalidation(this.#batch.descriptors, this.#claim(), type, values);
  }

  /** Eight words as they are, well-formed or not: for tests and fault injection. */
  issueRaw(descriptor: ArrayLike<number>): void {
    this.#batch.descriptors.set(descriptor, this.#claim());
  }

  /** How many more descriptors the batch takes before it has to be synced. */
  get room(): number {
    return this.#batch.room;
  }

  /** Publishes what was queued, then the batch and one wait; {@link isOver} says when all of it has taken effect. Nothing is added to the
   * batch until then. @param drain page requests that the hardware had taken before are then in their queue, too.
   * @throws IommuError ETIMEDOUT a hardware that takes nothing */
  begin(drain: boolean = false): void {
    this.flushResponses();
    this.#batch.begin(drain);
  }

  /** Looks whether what {@link begin} published is over, and puts it again if a time-out aborted its wait. Never waits for the hardware.
   * What throws has dropped the batch.
   * @throws IommuError EINVAL the hardware refused a descriptor of the batch (the rest took effect); ETIMEDOUT naming `rid`: a device that is
   * gone, or does not answer; ETIMEDOUT naming `timeoutMs`: a hardware that does not run */
  isOver(): boolean {
    return this.#batch.isOver();
  }

  /** Word offset that changes when a wait of this thread is over. */
  get statusAt(): number {
    return this.#batch.statusAt;
  }

  /** {@link begin}, and waits until it is over. Context: blocks. @throws IommuError as {@link isOver} */
  sync(self: ThreadSelf, drain: boolean = false): void {
    this.begin(drain);
    for (let spin = 0; spin < self.spins && !this.#batch.isDone; spin++);
    while (!this.isOver()) {
      const seen = Atomics.load(this.#words, this.statusAt);
      if (this.#batch.isAhead(seen)) Atomics.wait(this.#words, this.statusAt, seen, SLICE_MS);
    }
  }

  /** {@link sync} for a thread that must not block. @throws IommuError as {@link isOver} */
  syncAsync(drain: boolean = false): Promise<void> {
    return runProcedure(this.#words, this.syncSteps(drain));
  }

  /** {@link sync} as a procedure. @throws IommuError as {@link isOver} */
  *syncSteps(drain: boolean = false): Procedure {
    this.begin(drain);
    for (const at = this.statusAt; ; ) {
      const seen = Atomics.load(this.#words, at);
      if (this.isOver()) return;
      yield { at, seen };
    }
  }

  /** {@link syncSteps}, but a device that does not complete its invalidations is no error: the unit's own caches are empty all the same.
   * @returns whether all of them completed. @throws IommuError EINVAL, ETIMEDOUT a hardware that does not run */
  *syncPastDevice(drain: boolean = false): Procedure<boolean> {
    try {
      yield* this.syncSteps(drain);
      return true;
    } catch (error) {
      if (error instanceof IommuError && error.code === 'ETIMEDOUT' && error.field === 'rid') return false;
      throw error;
    }
  }

  #claim(): number {
    if (this.#batch.room === 0) this.sync({ id: 0, spins: 0 });
    return this.#batch.claim();
  }
}
