import { IommuError } from '@faultline/core/errors';
import type { Doorbell, Words } from '@faultline/core/sync';
import { Drain } from './drain.ts';
import {
  NO_DEVICE,
  VTD_GCMD,
  VTD_GSTS,
  VTD_IQ,
  VTD_IQ_ORDER,
  VTD_IQ_WIDE,
  VTD_IQA,
  VTD_IQH,
  VTD_IQT,
  VTD_PECTL,
  VTD_PQA,
  VTD_PQH,
  VTD_PQT,
  VTD_PRQ,
  VTD_PRQ_ORDER,
} from './layout.ts';
import { PasidTables } from './pasid-tables.ts';
import { type Procedure, syncSteps, untilWord } from './procedure.ts';
import { GCMD_QIE, GCMD_TE, IQA_DW, PECTL_IM } from './registers.ts';
import { byteAddressHi, byteAddressLo, NO_PASID, type Translation } from './tables.ts';
import { checkVtd, deviceEntryAt } from './unit.ts';
import type { VtdOps } from './vtd-ops.ts';

export interface VtdProceduresConfig {
  /** This thread's own. */
  readonly ops: VtdOps;
  readonly hardwareDoorbell: Doorbell;
  /** Waits until the groups of a device that are under way have been handled (Linux iopf_queue_flush_dev()). Default: nothing to wait for. */
  readonly flushWork?: (device: number) => Promise<void>;
  /** The device's last domain with a fault handler goes, so the core forgets the device (Linux iopf_queue_remove_device()). */
  readonly removeFaults?: (device: number) => Promise<void> | undefined;
  /** How long to wait for the hardware, or for the event pump. Default 10 s. */
  readonly timeoutMs?: number;
}

/** What is attached at a PASID: its translation, and whether its faults are reported to a handler. */
export interface VtdDomain extends Translation {
  /** Default false: page requests are not let in on its account. */
  readonly faults?: boolean;
}

interface Attached {
  readonly device: number;
  readonly domains: Map<number, VtdDomain>; // by PASID
  faultUsers: number; // domains with a fault handler: PRE is set while there are any
}

/** What a VT-d driver does, step by step and in which order: switching on, attaching and detaching, fencing and draining. Each procedure is
 * a generator, so that an event loop awaits what a thread with nothing else to do steps through. One procedure at a time. */
export class VtdProcedures {
  readonly #words: Words;
  readonly #base: number;
  readonly #ops: VtdOps;
  readonly #hardware: Doorbell;
  readonly #drain: Drain;
  readonly #removeFaults: VtdProceduresConfig['removeFaults'];
  readonly #timeoutMs: number;
  readonly #tables: PasidTables;
  readonly #attached: Map<number, Attached> = new Map(); // by RID

  /** @throws IommuError EINVAL when `base` holds no unit. */
  constructor(words: Words, base: number, config: VtdProceduresConfig) {
    checkVtd(words, base, 'VtdProcedures');
    this.#words = words;
    this.#base = base;
    this.#ops = config.ops;
    this.#hardware = config.hardwareDoorbell;
    this.#removeFaults = config.removeFaults;
    this.#timeoutMs = config.timeoutMs ?? 10_000;
    this.#tables = new PasidTables(words, base);
    this.#drain = new Drain(words, base, { ops: config.ops, timeoutMs: this.#timeoutMs, flushWork: config.flushWork });
  }

  /** Switches the queues and translation on. @throws IommuError ETIMEDOUT */
  *enable(): Procedure {
    const words = this.#words;
    const iqa = byteAddressLo(this.#base + words[this.#base + VTD_IQ]);
    const pqa = byteAddressLo(this.#base + words[this.#base + VTD_PRQ]);
    Atomics.store(words, this.#base + VTD_IQT, 0);
    Atomics.store(words, this.#base + VTD_PQH, 0);
    Atomics.store(words, this.#base + VTD_PQT, 0);
    Atomics.store(words, this.#base + VTD_IQA + 1, byteAddressHi(this.#base + words[this.#base + VTD_IQ]));
    Atomics.store(
      words,
      this.#base + VTD_IQA,
      iqa | words[this.#base + VTD_IQ_ORDER] | (words[this.#base + VTD_IQ_WIDE] === 1 ? IQA_DW : 0),
    );
    Atomics.store(words, this.#base + VTD_PQA + 1, byteAddressHi(this.#base + words[this.#base + VTD_PRQ]));
    Atomics.store(words, this.#base + VTD_PQA, pqa | words[this.#base + VTD_PRQ_ORDER]);
    this.maskPageRequests(false);
    yield* this.#control(GCMD_TE | GCMD_QIE, 0);
  }

  /** Translation and the queues off; descriptors that the hardware has not taken are taken first. @throws IommuError ETIMEDOUT */
  *disable(): Procedure {
    const words = this.#words;
    yield* this.#until('disable', this.#base + VTD_IQH, (head) => head === Atomics.load(words, this.#base + VTD_IQT));
    yield* this.#control(0, GCMD_TE | GCMD_QIE);
  }

  /** Masks page request events, or lets them through again: one that came meanwhile is delivered then. */
  maskPageRequests(masked: boolean): void {
    const at = this.#base + VTD_PECTL;
    if (masked) Atomics.or(this.#words, at, PECTL_IM);
    else Atomics.and(this.#words, at, ~PECTL_IM);
    if (!masked) this.#hardware.ring();
  }

  /** Gives a requester to `device` (index in the core's device table), blocking: no PASID translates.
   * @throws IommuError ENODEV outside the context table, EBUSY when it has a driver, ETIMEDOUT */
  *attachDevice(rid: number, device: number): Procedure {
    const at = deviceEntryAt(this.#words, this.#base, rid);
    if (Atomics.load(this.#words, at) !== NO_DEVICE)
      throw new IommuError('EBUSY', 'attachDevice', 'rid', rid, 'has a driver already');
    this.#attached.set(rid, { device, domains: new Map(), faultUsers: 0 });
    Atomics.store(this.#words, at, device + 1);
    this.#tables.writeContext(rid);
    this.#ops.invalidateContext(rid);
    yield* this.#sync();
  }

  /** Takes a requester from its driver: every PASID is detached first. @throws IommuError ENODEV, ETIMEDOUT */
  *detachDevice(rid: number): Procedure {
    const attached = this.#of('detachDevice', rid);
    for (const pasid of [...attached.domains.keys()]) yield* this.detach(rid, pasid);
    this.#tables.clearContext(rid);
    this.#ops.invalidateContext(rid);
    this.#ops.invalidateDevice(rid, -1);
    yield* this.#sync();
    Atomics.store(this.#words, deviceEntryAt(this.#words, this.#base, rid), NO_DEVICE);
    this.#attached.delete(rid);
  }

  /** A device that was pulled out: what waits for its invalidations gives up. Its tables stay until {@link detachDevice}. */
  surpriseRemove(rid: number): void {
    Atomics.store(this.#words, deviceEntryAt(this.#words, this.#base, rid), NO_DEVICE);
  }

  /** Attaches a domain at a PASID, NO_PASID for traffic without one.
   * @throws IommuError ENODEV no such requester, EINVAL or ENOSPC as PasidTables.writePasid, EBUSY something is attached there, ETIMEDOUT */
  *attach(rid: number, pasid: number, domain: VtdDomain): Procedure {
    const attached = this.#of('attach', rid);
    this.#tables.writePasid(rid, pasid, domain);
    attached.domains.set(pasid, domain);
    if (domain.faults === true) yield* this.#addFaultUser(rid, attached);
    this.#ops.invalidatePasid(domain.did, pasid); // entries that were not present are not kept, but a unit may say otherwise (CAP.CM)
    yield* this.#sync();
  }

  /** Attaches another domain in place of the present one; then drains what was asked on the old one's account.
   * @throws IommuError ENODEV, ENOENT nothing is attached there, ETIMEDOUT */
  *replace(rid: number, pasid: number, domain: VtdDomain): Procedure {
    const attached = this.#of('replace', rid);
    const old = this.#domainAt('replace', attached, pasid);
    if (domain.faults === true) yield* this.#addFaultUser(rid, attached);
    this.#tables.replacePasid(rid, pasid, domain);
    attached.domains.set(pasid, domain);
    yield* this.#invalidatePasid(rid, pasid, old);
    yield* this.drain(rid, pasid, old.did);
    if (old.faults === true) yield* this.#dropFaultUser(rid, attached);
  }

  /** Detaches: entry not present, caches invalidated, entry cleared, drained, and only then the last fault user's device forgotten.
   * @throws IommuError ENODEV, ENOENT nothing is attached there, ETIMEDOUT */
  *detach(rid: number, pasid: number): Procedure {
    const attached = this.#of('detach', rid);
    const old = this.#domainAt('detach', attached, pasid);
    yield* this.#tearDown(rid, pasid, old);
    attached.domains.delete(pasid);
    if (old.faults === true) yield* this.#dropFaultUser(rid, attached);
  }

  /** A device's own domain gives way to blocking, in one of two orders.
   * `fence-first` is {@link detach}. `remove-first` is what Linux v7.0 does for a RID: the device leaves the fault queue before the entry goes,
   * so that the drain inside finds no fault user and returns at once, and requests that wait in the queue are reported afterwards. */
  *blockRid(rid: number, order: 'fence-first' | 'remove-first' = 'fence-first'): Procedure {
    if (order === 'fence-first') {
      yield* this.detach(rid, NO_PASID);
      return;
    }
    const attached = this.#of('blockRid', rid);
    const old = this.#domainAt('blockRid', attached, NO_PASID);
    if (old.faults === true) yield* this.#dropFaultUser(rid, attached);
    yield* this.#tearDown(rid, NO_PASID, old);
    attached.domains.delete(NO_PASID);
  }

  // The steps of turning PRI off, as core's PriDriver names them.

  /** Every PASID of the requester stops translating: on return the hardware lets no further request of it in. */
  *blockDevice(rid: number): Procedure {
    const attached = this.#of('blockDevice', rid);
    for (const [pasid, domain] of attached.domains) {
      this.#tables.unsetPasid(rid, pasid);
      yield* this.#invalidatePasid(rid, pasid, domain);
    }
  }

  /** Drains every PASID of a requester that was blocked: no report of an older request is under way or can start. */
  *fenceEventQueue(rid: number): Procedure {
    for (const [pasid, domain] of this.#of('fenceEventQueue', rid).domains) yield* this.drain(rid, pasid, domain.did);
  }

  /** On return the requester has every response that was queued before, by any thread: an invalidation pushes them. */
  *fenceResponses(rid: number): Procedure {
    this.#of('fenceResponses', rid);
    this.#ops.invalidateDevice(rid, -1);
    yield* this.#sync();
  }

  /** PRE off, and the blocked PASIDs' entries cleared. PRI at the device goes off next, ATS last. */
  *disablePri(rid: number): Procedure {
    const attached = this.#of('disablePri', rid);
    for (const pasid of attached.domains.keys()) this.#tables.clearPasid(rid, pasid);
    attached.domains.clear();
    attached.faultUsers = 0;
    yield* this.#flipPageRequests(rid, false);
  }

  /** Waits until nothing of the requester and PASID is under way: see Drain.run. Nothing to do when the requester has no domain with a fault
   * handler. @returns whether there was anything to do. @throws IommuError ENODEV, ETIMEDOUT */
  *drain(rid: number, pasid: number, did: number): Procedure<boolean> {
    const attached = this.#of('drain', rid);
    if (attached.faultUsers === 0) return false;
    yield* this.#drain.run(rid, attached.device, pasid, did);
    return true;
  }

  *#tearDown(rid: number, pasid: number, domain: VtdDomain): Procedure {
    this.#tables.unsetPasid(rid, pasid);
    yield* this.#invalidatePasid(rid, pasid, domain);
    this.#tables.clearPasid(rid, pasid);
    yield* this.drain(rid, pasid, domain.did);
  }

  /** PASID cache, then IOTLB, then device-TLB, and one wait. */
  *#invalidatePasid(rid: number, pasid: number, domain: VtdDomain): Procedure {
    this.#ops.invalidatePasid(domain.did, pasid);
    const byDomain = domain.kind === 'second-level' || domain.kind === 'nested';
    this.#ops.invalidateAll(domain.did, byDomain ? -1 : pasid);
    this.#ops.invalidateDevice(rid, pasid === NO_PASID ? -1 : pasid);
    yield* this.#sync();
  }

  *#addFaultUser(rid: number, attached: Attached): Procedure {
    if (attached.faultUsers++ === 0) yield* this.#flipPageRequests(rid, true);
  }

  *#dropFaultUser(rid: number, attached: Attached): Procedure {
    if (--attached.faultUsers > 0) return;
    yield* this.#flipPageRequests(rid, false);
    const removed = this.#removeFaults?.(attached.device);
    if (removed !== undefined) yield removed;
  }

  *#flipPageRequests(rid: number, on: boolean): Procedure {
    this.#tables.enablePageRequests(rid, on);
    this.#ops.invalidateContext(rid);
    yield* this.#sync();
  }

  #of(call: string, rid: number): Attached {
    const attached = this.#attached.get(rid);
    if (attached === undefined) throw new IommuError('ENODEV', call, 'rid', rid, 'is not attached');
    return attached;
  }

  #domainAt(call: string, attached: Attached, pasid: number): VtdDomain {
    const domain = attached.domains.get(pasid);
    if (domain === undefined) throw new IommuError('ENOENT', call, 'pasid', pasid, 'nothing is attached there');
    return domain;
  }

  *#control(set: number, clear: number): Procedure {
    const at = this.#base + VTD_GCMD;
    Atomics.or(this.#words, at, set);
    Atomics.and(this.#words, at, ~clear);
    this.#hardware.ring();
    yield* this.#until('GCMD', this.#base + VTD_GSTS, (status) => (status & set) === set && (status & clear) === 0);
  }

  #sync(): Procedure {
    return syncSteps(this.#words, this.#ops);
  }

  #until(call: string, at: number, isTrue: (value: number) => boolean): Procedure {
    return untilWord(this.#words, call, at, isTrue, this.#timeoutMs);
  }
}
