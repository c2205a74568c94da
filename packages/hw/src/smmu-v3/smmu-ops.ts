import { IommuError } from '@faultline/core/errors';
import {
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAG_RESPONSE_NEEDS_PASID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PASID,
  FAULT_TOKEN,
  type IommuOps,
  RESPONSE_SUCCESS,
  type ResponseCode,
} from '@faultline/core/iopf';
import type { Doorbell, ThreadSelf, Words } from '@faultline/core/sync';
import { spanLg2 } from '../pcie/ats-range.ts';
import { announceBit } from '../queue/announce.ts';
import { queueAdvance, queueFull, queueIndex, queueSlot } from '../queue/index.ts';
import type { FieldValues } from '../record/fields.ts';
import {
  ATC_SIZE_ALL,
  CFGI_RANGE_ALL,
  CMD_CFGI_CD,
  CMD_CFGI_STE_RANGE,
  CMD_PREFETCH_CFG,
  CMD_STALL_TERM,
  CMD_TLBI_EL2_ALL,
  CMD_TLBI_NH_ASID,
  CMD_TLBI_NH_VA,
  CMD_TLBI_NSNH_ALL,
  CMD_TLBI_S2_IPA,
  CMD_TLBI_S12_VMALL,
  COMMAND_WORDS,
  encodeCommand,
  PRI_RESP_FAILURE,
  PRI_RESP_INVALID,
  PRI_RESP_SUCCESS,
  RESUME_ABORT,
  RESUME_RETRY,
  tlbiRange,
  tlbiScope,
  writeAtcInv,
  writeCfgiSte,
  writePriResp,
  writeResume,
  writeSync,
  writeSyncMsi,
  writeTlbiRange,
} from './commands.ts';
import { acknowledgeGlobalErrors } from './global-errors.ts';
import {
  CMDQ_CONS,
  CMDQ_ENTRIES,
  CMDQ_MSI,
  CMDQ_PARKED,
  CMDQ_PROD,
  commandAnnounceAt,
  commandQueueBase,
  SMMU_CMDQ_LOG2,
  SMMU_GERROR,
  SMMU_GERRORN,
} from './layout.ts';
import {
  CERROR_ABT,
  CERROR_ATC_INV_SYNC,
  CMDQ_ERR_FLAG,
  CMDQ_ERR_MASK,
  GERROR_CMDQ,
  GERROR_MSI_CMDQ,
} from './registers.ts';

/** A thread that waits for the hardware looks for command errors this often. */
const SLICE_MS = 100;
/** Pages from which on an invalidation takes the whole ASID, as Linux does (one page table). */
const WHOLE_ASID_PAGES = 512;
const TG_4K = 1;
const LEAF = 1;
const LEAF_4K: number = tlbiScope(TG_4K, LEAF);

/** In a record's TOKEN, beside the StreamID: a page request, not a stall. StreamIDs of streams with a driver are far below. */
export const PRI_TOKEN: number = 1 << 31;
const PASID_IN_ANSWER: number = FAULT_FLAG_PASID_VALID | FAULT_FLAG_RESPONSE_NEEDS_PASID;
/** By the core's code (success, invalid, failure). */
const PRI_RESP_OF: readonly number[] = [PRI_RESP_SUCCESS, PRI_RESP_INVALID, PRI_RESP_FAILURE];

export interface SmmuOpsConfig {
  /** The hardware host's doorbell. */
  readonly hardwareDoorbell: Pick<Doorbell, 'ring'>;
  /** How long to wait for a hardware that does not consume. Default 10 s. */
  readonly timeoutMs?: number;
}

/** The issuing end of one command queue: answers and invalidations of one thread. Make one a queue, in the thread that issues.
 * Orderings are named in command-reader.ts. */
export class SmmuOps implements IommuOps {
  readonly #words: Words;
  readonly #base: number;
  readonly #queueAt: number;
  readonly #entries: number;
  readonly #log2: number;
  readonly #announceAt: number;
  readonly #announceBit: number;
  readonly #hardware: Pick<Doorbell, 'ring'>;
  readonly #timeoutMs: number;
  #prod: number; // index and wrap, commands not yet published included
  #published: number;
  #consSeen: number; // CONS when last read: read again only when the queue looks full
  #ack: number; // error acknowledgement as in PROD
  #syncs: number; // MSI data of the last CMD_SYNC
  #recovered = 0;
  #refetched = 0;
  #atcTimeouts = 0;

  /** @throws IommuError EINVAL when there is no such queue. */
  constructor(words: Words, base: number, queue: number, config: SmmuOpsConfig) {
    const at = commandQueueBase(words, base, queue);
    this.#words = words;
    this.#base = base;
    this.#queueAt = at;
    this.#entries = at + CMDQ_ENTRIES;
    this.#log2 = words[base + SMMU_CMDQ_LOG2];
    this.#announceAt = commandAnnounceAt(words, base, queue);
    this.#announceBit = announceBit(queue);
    this.#hardware = config.hardwareDoorbell;
    this.#timeoutMs = config.timeoutMs ?? 10_000;
    const prod = Atomics.load(words, at + CMDQ_PROD);
    this.#prod = this.#published = queueIndex(prod, this.#log2);
    this.#ack = prod & CMDQ_ERR_FLAG;
    this.#consSeen = Atomics.load(words, at + CMDQ_CONS);
    this.#syncs = Atomics.load(words, at + CMDQ_MSI);
  }

  /** Commands that the hardware refused and that were skipped since. */
  get recovered(): number {
    return this.#recovered;
  }

  /** Commands that the hardware could not read at first. */
  get refetched(): number {
    return this.#refetched;
  }

  /** CMD_SYNCs that failed at first because an endpoint did not complete an ATC invalidation in time. Its cache is not to be trusted: a
   * driver that sees this move takes the device out of service. */
  get atcTimeouts(): number {
    return this.#atcTimeouts;
  }

  /** Answers a stall, named by TOKEN (StreamID) and GRPID (STAG): SUCCESS is retry, anything else is abort. Or a page request group, named
   * by TOKEN (StreamID and PRI_TOKEN), GRPID (group index) and, where the device needs it, PASID.
   * @throws IommuError ETIMEDOUT when the queue stays full. */
  pageResponse(recordAt: number, code: ResponseCode): void {
    const words = this.#words;
    if (words[recordAt + FAULT_TOKEN] < 0) {
      this.#answerGroup(recordAt, code);
      return;
    }
    const resp = code === RESPONSE_SUCCESS ? RESUME_RETRY : RESUME_ABORT;
    this.resume(words[recordAt + FAULT_TOKEN], words[recordAt + FAULT_GRPID], resp);
  }

  /** CMD_RESUME with RESUME_*. */
  resume(streamId: number, stag: number, resp: number): void {
    writeResume(this.#words, this.#claim(), streamId, stag, resp);
    this.#advance();
  }

  /** CMD_PRI_RESP with PRI_RESP_*; `substreamId` -1: without. No CMD_SYNC says that it has arrived: the endpoint does, by stopping. */
  priResponse(streamId: number, substreamId: number, prgIndex: number, resp: number): void {
    writePriResp(this.#words, this.#claim(), streamId, substreamId, prgIndex, resp);
    this.#advance();
  }

  #answerGroup(recordAt: number, code: ResponseCode): void {
    const words = this.#words;
    const streamId = words[recordAt + FAULT_TOKEN] & ~PRI_TOKEN;
    const substreamId =
      (words[recordAt + FAULT_FLAGS] & PASID_IN_ANSWER) === PASID_IN_ANSWER ? words[recordAt + FAULT_PASID] : -1;
    this.priResponse(streamId, substreamId, words[recordAt + FAULT_GRPID], PRI_RESP_OF[code] ?? PRI_RESP_FAILURE);
  }

  /** Publishes what was queued, with one store, and rings the hardware. Also where a refused command is noticed. */
  flushResponses(): void {
    const words = this.#words;
    if (this.#prod !== this.#published) {
      this.#publish();
      this.#hardware.ring();
    }
    if (Atomics.load(words, this.#base + SMMU_GERROR) !== Atomics.load(words, this.#base + SMMU_GERRORN))
      this.#recover();
  }

  /** Makes the hardware look: after a store that it waits for, such as the event queue's CONS. */
  kick(): void {
    this.#hardware.ring();
  }

  /** Waits until every command issued here has taken effect, and every event recorded before is in the queue.
   * Context: blocks. @throws IommuError ETIMEDOUT */
  sync(self: ThreadSelf): void {
    const target = this.#issueSync();
    const at = this.#queueAt + CMDQ_MSI;
    for (let spin = 0; spin < self.spins && !this.#synced(target); spin++);
    for (const deadline = this.#deadline(); !this.#synced(target); ) {
      this.#checkHardware('SmmuOps.sync', deadline);
      const seen = Atomics.load(this.#words, at);
      if (((seen - target) | 0) < 0) Atomics.wait(this.#words, at, seen, SLICE_MS);
    }
  }

  /** {@link sync} for a thread that must not block. @throws IommuError ETIMEDOUT */
  async syncAsync(): Promise<void> {
    const target = this.#issueSync();
    const at = this.#queueAt + CMDQ_MSI;
    for (const deadline = this.#deadline(); !this.#synced(target); ) {
      this.#checkHardware('SmmuOps.syncAsync', deadline);
      const seen = Atomics.load(this.#words, at);
      if (((seen - target) | 0) < 0) await Atomics.waitAsync(this.#words, at, seen, SLICE_MS).value;
    }
  }

  /** CMD_CFGI_STE: the hardware reads the stream's table entry and its context descriptors afresh. In effect after {@link sync}. */
  invalidateStream(streamId: number): void {
    writeCfgiSte(this.#words, this.#claim(), streamId, LEAF);
    this.#advance();
  }

  /** CMD_PREFETCH_CFG: a hint. */
  prefetchConfiguration(streamId: number): void {
    this.issue(CMD_PREFETCH_CFG, { streamId });
  }

  /** CMD_CFGI_CD: the hardware reads one context descriptor afresh. */
  invalidateContext(streamId: number, substreamId: number): void {
    this.issue(CMD_CFGI_CD, { streamId, substreamId, leaf: LEAF });
  }

  /** CMD_CFGI_STE_RANGE over everything, which is CFGI_ALL. */
  invalidateConfiguration(): void {
    this.issue(CMD_CFGI_STE_RANGE, { range: CFGI_RANGE_ALL });
  }

  /** Every translation of EL1 and stage 2, and with `hyp` those of EL2. */
  invalidateAllTranslations(hyp: boolean): void {
    if (hyp) this.issue(CMD_TLBI_EL2_ALL, {});
    this.issue(CMD_TLBI_NSNH_ALL, {});
  }

  /** Every translation of an ASID. */
  invalidateAsid(asid: number, vmid: number = 0): void {
    this.issue(CMD_TLBI_NH_ASID, { asid, vmid });
  }

  /** Every translation of a VMID, both stages. */
  invalidateVmid(vmid: number): void {
    this.issue(CMD_TLBI_S12_VMALL, { vmid });
  }

  /** TLB invalidation of `pages` pages from a page on: by range, or the whole ASID when that is less work. In effect after {@link sync}. */
  invalidateRange(asid: number, pageLo: number, pageHi: number, pages: number): void {
    if (pages >= WHOLE_ASID_PAGES) this.invalidateAsid(asid);
    else this.#invalidatePages(CMD_TLBI_NH_VA, asid << 16, pageLo, pageHi, pages);
  }

  /** As {@link invalidateRange}, of stage 2's input addresses. Stage 1 translations that rest on them may stay (CMD_TLBI_S12_VMALL takes all). */
  invalidateStage2Range(vmid: number, pageLo: number, pageHi: number, pages: number): void {
    if (pages >= WHOLE_ASID_PAGES) this.invalidateVmid(vmid);
    else this.#invalidatePages(CMD_TLBI_S2_IPA, vmid, pageLo, pageHi, pages);
  }

  /** An endpoint's cache: the smallest aligned power of two of pages that covers the range, in one SubstreamID, or with -1 in all. 0 pages:
   * everything. Only after a {@link sync} of the TLB invalidation before it: it could be filled again from there. */
  invalidateAtc(streamId: number, substreamId: number, pageLo: number, pageHi: number, pages: number): void {
    const first = pageHi * 2 ** 32 + (pageLo >>> 0);
    const size = pages === 0 ? ATC_SIZE_ALL : spanLg2(first, first + pages - 1);
    const span = 2 ** size;
    const page = size >= ATC_SIZE_ALL ? 0 : Math.floor(first / span) * span;
    const low = (page % 2 ** 32) | 0;
    writeAtcInv(this.#words, this.#claim(), streamId, substreamId, low, Math.floor(page / 2 ** 32), size);
    this.#advance();
  }

  /** CMD_STALL_TERM: ends every stall of the stream. Only after the stream was blocked: a new stall would slip through. */
  stallTerm(streamId: number): void {
    this.issue(CMD_STALL_TERM, { streamId });
  }

  /** Queues any command by its table. @throws IommuError as {@link encodeCommand} */
  issue(op: number, values: FieldValues): void {
    encodeCommand(this.#words, this.#claim(), op, values);
    this.#advance();
  }

  /** Queues four words as they are, well-formed or not: a guest's that were converted, tests, fault injection. */
  issueRaw(w0: number, w1: number, w2: number, w3: number): void {
    const at = this.#claim();
    this.#words[at] = w0;
    this.#words[at + 1] = w1;
    this.#words[at + 2] = w2;
    this.#words[at + 3] = w3;
    this.#advance();
  }

  #invalidatePages(op: number, tag: number, pageLo: number, pageHi: number, pages: number): void {
    let page = pageHi * 2 ** 32 + (pageLo >>> 0);
    for (let left = pages; left > 0; ) {
      // A range is (num + 1) * 2^scale pages: take the lowest set bits first, up to five of them at a time.
      const scale = 31 - Math.clz32(left & -left);
      const num = (left >>> scale) & 31;
      const range = tlbiRange(num - 1, scale);
      const at = this.#claim();
      writeTlbiRange(this.#words, at, op, tag, range, LEAF_4K, (page % 2 ** 32) | 0, Math.floor(page / 2 ** 32));
      this.#advance();
      left -= num << scale;
      page += num << scale;
    }
  }

  /** @returns word offset of the entry to fill. Blocks, in slices, while the queue is full. */
  #claim(): number {
    if (queueFull(this.#prod, this.#consSeen, this.#log2)) this.#waitForSpace();
    return this.#entries + queueSlot(this.#prod, this.#log2) * COMMAND_WORDS;
  }

  #advance(): void {
    this.#prod = queueAdvance(this.#prod, 1, this.#log2);
  }

  #publish(): void {
    this.#published = this.#prod;
    Atomics.store(this.#words, this.#queueAt + CMDQ_PROD, this.#prod | this.#ack); // [P]
    Atomics.or(this.#words, this.#announceAt, this.#announceBit); // [A]
  }

  /** Everything queued is published first: the hardware is never waited for with its work kept back. */
  #waitForSpace(): void {
    const words = this.#words;
    const consAt = this.#queueAt + CMDQ_CONS;
    this.#consSeen = Atomics.load(words, consAt); // [F]
    if (!queueFull(this.#prod, this.#consSeen, this.#log2)) return;
    this.flushResponses();
    Atomics.store(words, this.#queueAt + CMDQ_PARKED, 1); // [W]
    for (const deadline = this.#deadline(); queueFull(this.#prod, this.#consSeen, this.#log2); ) {
      this.#checkHardware('SmmuOps.issue', deadline);
      Atomics.wait(words, consAt, this.#consSeen, SLICE_MS); // [W]
      this.#consSeen = Atomics.load(words, consAt); // [F]
    }
    Atomics.store(words, this.#queueAt + CMDQ_PARKED, 0);
  }

  #issueSync(): number {
    const at = this.#claim();
    this.#syncs = (this.#syncs + 1) | 0;
    writeSyncMsi(this.#words, at, this.#queueAt + CMDQ_MSI, this.#syncs);
    this.#advance();
    this.flushResponses();
    return this.#syncs;
  }

  #synced(target: number): boolean {
    return ((Atomics.load(this.#words, this.#queueAt + CMDQ_MSI) - target) | 0) >= 0;
  }

  #deadline(): number {
    return performance.now() + this.#timeoutMs;
  }

  /** A queue that stands still may stand at an error. @throws IommuError ETIMEDOUT */
  #checkHardware(call: string, deadline: number): void {
    this.#recover();
    if (performance.now() >= deadline) {
      Atomics.store(this.#words, this.#queueAt + CMDQ_PARKED, 0);
      throw new IommuError('ETIMEDOUT', call, 'timeoutMs', this.#timeoutMs, 'the hardware consumed nothing');
    }
  }

  /** As Linux does: a command that the hardware refused is overwritten with a CMD_SYNC; one that could not be read, and a CMD_SYNC that
   * failed because an endpoint let an invalidation time out, stay and are fetched again. Then the acknowledgement. */
  #recover(): void {
    const words = this.#words;
    const cons = Atomics.load(words, this.#queueAt + CMDQ_CONS);
    if (((cons ^ this.#ack) & CMDQ_ERR_FLAG) !== 0) {
      const reason = cons & CMDQ_ERR_MASK;
      if (reason === CERROR_ATC_INV_SYNC) this.#atcTimeouts++;
      else if (reason === CERROR_ABT) this.#refetched++;
      else {
        writeSync(words, this.#entries + queueSlot(cons, this.#log2) * COMMAND_WORDS);
        this.#recovered++;
      }
      acknowledgeGlobalErrors(words, this.#base, GERROR_CMDQ); // first: an error that follows is then a new toggle
      this.#ack ^= CMDQ_ERR_FLAG;
      this.#publish();
      this.#hardware.ring();
    }
    acknowledgeGlobalErrors(words, this.#base, GERROR_MSI_CMDQ);
  }
}
