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
import type { FieldValues } from '../smmu-v3/fields.ts';
import {
  ALL_PAGES,
  deviceTlbRid,
  WAIT_DRAIN,
  WAIT_STATUS,
  writeContextInvalidation,
  writeDeviceTlbInvalidation,
  writeIotlbInvalidation,
  writePageGroupResponse,
  writePasidCacheInvalidation,
  writePasidIotlbInvalidation,
  writeWait,
} from './descriptor-codec.ts';
import { checkTimeoutMs, InvalidationQueue, SLICE_MS } from './invalidation-queue.ts';
import {
  DESCRIPTOR_WORDS,
  encodeInvalidation,
  INV_DEVICE_TLB,
  INV_PASID_DEVICE_TLB,
  invalidationType,
  PASID_CACHE_DOMAIN,
  PASID_CACHE_ONE,
  PGR_FAILURE,
} from './invalidations.ts';
import { NO_DEVICE, THREAD_BAD, THREAD_BAD_AT, THREAD_STATUS, VTD_FSTS, VTD_RIDS } from './layout.ts';
import { FSTS_QUEUE_ERRORS } from './registers.ts';
import { deviceEntryAt, threadLineAt } from './unit.ts';

/** Responses kept back until they are published, and invalidations in one batch with its wait. */
const STAGED = 32;
const BATCH = 62;
/** Largest page-selective invalidation, 2^n pages: CAP.MAMV of the model. Beyond it, the whole PASID or domain. */
const MAX_ADDRESS_MASK = 18;

const PENDING = 0;
const DONE = 1;
const ABORTED = 2;

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
  readonly #line: number;
  readonly #timeoutMs: number;
  readonly #responses: Int32Array = new Int32Array(STAGED * DESCRIPTOR_WORDS);
  readonly #batch: Int32Array = new Int32Array((BATCH + 1) * DESCRIPTOR_WORDS);
  #responseCount = 0;
  #batchCount = 0;
  #sequence: number; // status data of this thread's last wait
  #refused = 0; // BAD when the last wait was put
  #first = 0; // position of the batch's first descriptor
  #waitAt = 0; // and of its wait
  #drain = false;
  #deadline = 0;

  /** @param thread this thread's number among those that submit, from 0.
   * @throws IommuError EINVAL when there is no such thread. */
  constructor(words: Words, base: number, thread: number, config: VtdOpsConfig) {
    this.#words = words;
    this.#base = base;
    this.#line = threadLineAt(words, base, thread);
    this.#timeoutMs = checkTimeoutMs('VtdOps', config.timeoutMs ?? 10_000);
    this.#queue = new InvalidationQueue(words, base, {
      self: config.self,
      thread,
      hardwareDoorbell: config.hardwareDoorbell,
      timeoutMs: this.#timeoutMs,
    });
    this.#sequence = Atomics.load(words, this.#line + THREAD_STATUS);
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

  /** Publishes what was queued, with one store. Also where a queue that stands at an error is noticed. */
  flushResponses(): void {
    if (this.#responseCount > 0) {
      const count = this.#responseCount;
      this.#responseCount = 0;
      this.#queue.put(this.#responses, count);
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
    return Atomics.load(this.#words, this.#line + THREAD_BAD);
  }

  // The batch. What is added takes effect with the next sync, in the order it was added. A batch that is full is synced in between, blocking.

  /** Context cache: one requester's entry, or (-1) all. */
  invalidateContext(rid: number): void {
    writeContextInvalidation(this.#batch, this.#claim(), rid);
  }

  /** PASID cache: one PASID of a domain, or (-1) all of the domain's. */
  invalidatePasid(did: number, pasid: number): void {
    const granularity = pasid < 0 ? PASID_CACHE_DOMAIN : PASID_CACHE_ONE;
    writePasidCacheInvalidation(this.#batch, this.#claim(), granularity, did, Math.max(pasid, 0));
  }

  /** IOTLB: `pages` pages from a page on, of a PASID, or (-1) of a domain. Covered by one descriptor, which may cover more. */
  invalidateRange(did: number, pasid: number, pageLo: number, pageHi: number, pages: number): void {
    const lg2 = coverLg2(pageLo, pageHi, pages);
    if (lg2 > MAX_ADDRESS_MASK) {
      this.invalidateAll(did, pasid);
      return;
    }
    const lo = pageLo & ~((1 << lg2) - 1);
    if (pasid < 0) writeIotlbInvalidation(this.#batch, this.#claim(), did, lo, pageHi, lg2);
    else writePasidIotlbInvalidation(this.#batch, this.#claim(), did, pasid, lo, pageHi, lg2);
  }

  /** IOTLB: a whole PASID, or (-1) a whole domain. */
  invalidateAll(did: number, pasid: number): void {
    if (pasid < 0) writeIotlbInvalidation(this.#batch, this.#claim(), did, 0, 0, ALL_PAGES);
    else writePasidIotlbInvalidation(this.#batch, this.#claim(), did, pasid, 0, 0, ALL_PAGES);
  }

  /** Device-TLB of a requester: every address, or a range; of a PASID, or (-1) of all. After the IOTLB's, or a device refills from it. */
  invalidateDevice(rid: number, pasid: number, pageLo: number = 0, pageHi: number = 0, pages: number = Infinity): void {
    const lg2 = pages === Infinity ? ALL_PAGES : coverLg2(pageLo, pageHi, pages);
    const lo = lg2 >= 32 ? 0 : pageLo & ~((1 << lg2) - 1);
    const hi = lg2 <= 32 ? pageHi : lg2 >= ALL_PAGES ? 0 : pageHi & ~((1 << (lg2 - 32)) - 1);
    writeDeviceTlbInvalidation(this.#batch, this.#claim(), rid, pasid, lo, hi, lg2);
  }

  /** A wait without status write, such as the fence that a drain begins with. @param flags WAIT_* */
  wait(flags: number): void {
    writeWait(this.#batch, this.#claim(), flags, 0, 0);
  }

  /** Any descriptor by its table. @throws IommuError as encodeInvalidation */
  issue(type: number, values: FieldValues): void {
    encodeInvalidation(this.#batch, this.#claim(), type, values);
  }

  /** Eight words as they are, well-formed or not: for tests and fault injection. */
  issueRaw(descriptor: ArrayLike<number>): void {
    this.#batch.set(descriptor, this.#claim());
  }

  /** Publishes the batch and one wait; {@link isOver} says when all of it has taken effect. Nothing is added to the batch until then.
   * @param drain page requests that the hardware had taken before are then in their queue, too. */
  begin(drain: boolean = false): void {
    this.#drain = drain;
    this.#deadline = performance.now() + this.#timeoutMs;
    this.#submit();
  }

  /** Looks whether what {@link begin} published is over, and puts it again if a time-out aborted its wait. Never waits for the hardware.
   * @throws IommuError EINVAL the hardware refused a descriptor of the batch (the rest took effect), ETIMEDOUT a device that is gone, or does
   * not answer, or a hardware that does not run */
  isOver(): boolean {
    const state = this.#poll();
    if (state === ABORTED) this.#submit();
    if (state === DONE) this.#end();
    return state === DONE;
  }

  /** Word offset that changes when a wait of this thread is over. */
  get statusAt(): number {
    return this.#line + THREAD_STATUS;
  }

  /** {@link begin}, and waits until it is over. Context: blocks. @throws IommuError as {@link isOver} */
  sync(self: ThreadSelf, drain: boolean = false): void {
    this.begin(drain);
    for (let spin = 0; spin < self.spins && !this.#isDone(); spin++);
    while (!this.isOver()) {
      const seen = Atomics.load(this.#words, this.statusAt);
      if (((seen - this.#sequence) | 0) < 0) Atomics.wait(this.#words, this.statusAt, seen, SLICE_MS);
    }
  }

  /** {@link sync} for a thread that must not block. @throws IommuError as {@link isOver} */
  async syncAsync(drain: boolean = false): Promise<void> {
    this.begin(drain);
    while (!this.isOver()) {
      const seen = Atomics.load(this.#words, this.statusAt);
      if (((seen - this.#sequence) | 0) < 0) await Atomics.waitAsync(this.#words, this.statusAt, seen, SLICE_MS).value;
    }
  }

  #claim(): number {
    if (this.#batchCount === BATCH) this.sync({ id: 0, spins: 0 });
    return this.#batchCount++ * DESCRIPTOR_WORDS;
  }

  /** The batch is kept until its wait is over: a time-out of another's device aborts it, and it is put again. */
  #submit(): void {
    this.flushResponses();
    this.#sequence = (this.#sequence + 1) | 0;
    const flags = WAIT_STATUS | (this.#drain ? WAIT_DRAIN : 0);
    writeWait(this.#batch, this.#batchCount * DESCRIPTOR_WORDS, flags, this.#line + THREAD_STATUS, this.#sequence);
    this.#refused = Atomics.load(this.#words, this.#line + THREAD_BAD);
    this.#first = this.#queue.put(this.#batch, this.#batchCount + 1);
    this.#waitAt = (this.#first + this.#batchCount) | 0;
  }

  #isDone(): boolean {
    return ((Atomics.load(this.#words, this.#line + THREAD_STATUS) - this.#sequence) | 0) >= 0; // [S]
  }

  /** @throws IommuError ETIMEDOUT */
  #poll(): number {
    if (this.#isDone()) return DONE;
    this.#queue.recover();
    const { before, rid } = this.#queue.lastTimeout();
    if (this.#isDone()) return DONE; // after the time-out was read: a wait that it did not abort is over by now, or still under way
    const behind = (before - this.#waitAt) | 0;
    if (behind > 0 && behind <= this.#queue.capacity + 1) {
      if (this.#asks(rid) && !this.#isPresent(rid))
        this.#timedOut('rid', rid, 'the device is gone, and its invalidation timed out');
      if (performance.now() >= this.#deadline)
        this.#timedOut('rid', rid, 'the device does not complete its invalidations');
      return ABORTED;
    }
    if (performance.now() >= this.#deadline) this.#timedOut('timeoutMs', this.#timeoutMs, 'the wait is not over');
    this.#queue.kick(); // a hardware that sleeps does not see its devices' deadlines pass
    return PENDING;
  }

  #timedOut(field: string, value: number, why: string): never {
    this.#batchCount = 0;
    throw new IommuError('ETIMEDOUT', 'VtdOps.sync', field, value, why);
  }

  #end(): void {
    const count = this.#batchCount;
    this.#batchCount = 0;
    if (Atomics.load(this.#words, this.#line + THREAD_BAD) === this.#refused) return;
    const bad = (Atomics.load(this.#words, this.#line + THREAD_BAD_AT) - this.#first) >>> 0;
    if (bad >= count) return; // a response that nobody waits for
    const type = this.#batch[bad * DESCRIPTOR_WORDS] & 15;
    throw new IommuError('EINVAL', 'VtdOps.sync', 'descriptor', bad, `the hardware refused it (type ${type})`);
  }

  /** Whether the batch invalidates that device. Linux gives up in whichever thread finds the time-out, be it another's. */
  #asks(rid: number): boolean {
    for (let i = 0; i < this.#batchCount; i++) {
      const at = i * DESCRIPTOR_WORDS;
      const type = invalidationType(this.#batch, at);
      if ((type === INV_DEVICE_TLB || type === INV_PASID_DEVICE_TLB) && deviceTlbRid(this.#batch, at) === rid)
        return true;
    }
    return false;
  }

  #isPresent(rid: number): boolean {
    if (rid >= this.#words[this.#base + VTD_RIDS]) return false;
    return Atomics.load(this.#words, deviceEntryAt(this.#words, this.#base, rid)) !== NO_DEVICE;
  }
}

/** Log2 of the smallest aligned power of two of pages that covers the range: as many as bits up to the first in which first and last differ. */
function coverLg2(pageLo: number, pageHi: number, pages: number): number {
  const lo = pageLo >>> 0;
  const last = lo + pages - 1; // may run into the high half
  const high = Math.floor(last / 2 ** 32);
  if (high !== 0) return 64 - Math.clz32((pageHi + high) ^ pageHi);
  return 32 - Math.clz32(lo ^ last);
}
