import type { Doorbell, Words } from '@faultline/core/sync';
import type { Procedure } from '../procedure/procedure.ts';
import { type Attached, type AttachedByRid, Attachments, hasFaults, type VtdDomain } from './attachments.ts';
import { Drain } from './drain.ts';
import { NO_DEVICE } from './layout.ts';
import { probeVtd, type VtdFeatures } from './probe.ts';
import { NO_PASID } from './tables.ts';
import { checkVtd, deviceEntryAt } from './unit.ts';
import { UnitControl } from './unit-control.ts';
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
  /** What is attached. Default: this object's own, so that one thread has all procedures. With shared books any thread runs them, one at a
   * time for a requester. */
  readonly books?: AttachedByRid;
}

/** What a VT-d driver does, step by step and in which order: switching on, attaching and detaching, fencing and draining. Each procedure is
 * a generator, so that an event loop awaits what a thread with nothing else to do steps through. One procedure at a time.
 *
 * What fails: attaching and replacing have changed nothing when they throw; the invalidations that take back what the hardware may have seen
 * meanwhile leave with the next batch. Whatever takes something away passes over a device that does not complete its invalidations, as
 * Linux does ({@link passedOver} counts), for the device may be gone; if it throws otherwise (a hardware or a pump that stands still), the
 * hardware lets nothing in any more, and it can be called again. */
export class VtdProcedures {
  /** Batches that were waited for in vain: a device did not complete its invalidations. */
  passedOver = 0;
  readonly #words: Words;
  readonly #base: number;
  readonly #ops: VtdOps;
  readonly #books: Attachments;
  readonly #unit: UnitControl;
  readonly #drain: Drain;
  readonly #removeFaults: VtdProceduresConfig['removeFaults'];

  /** @throws IommuError EINVAL when `base` holds no unit. */
  constructor(words: Words, base: number, config: VtdProceduresConfig) {
    checkVtd(words, base, 'VtdProcedures');
    const { ops, hardwareDoorbell, flushWork, timeoutMs = 10_000 } = config;
    this.#words = words;
    this.#base = base;
    this.#ops = ops;
    this.#removeFaults = config.removeFaults;
    this.#books = new Attachments(words, base, ops, config.books);
    this.#unit = new UnitControl(words, base, ops, hardwareDoorbell, timeoutMs);
    this.#drain = new Drain(words, base, { ops, timeoutMs, flushWork });
  }

  /** @see probeVtd */
  probe(): VtdFeatures {
    return probeVtd(this.#words, this.#base);
  }
  /** @see UnitControl.enable */
  enable(): Procedure {
    return this.#unit.enable();
  }
  /** @see UnitControl.disable */
  disable(): Procedure {
    return this.#unit.disable();
  }
  /** @see UnitControl.maskPageRequests */
  maskPageRequests(masked: boolean): void {
    this.#unit.maskPageRequests(masked);
  }

  /** Gives a requester to `device` (index in the core's device table), blocking: no PASID translates.
   * @param deviceTlb it may ask for translations and keep them: without it, it cannot fault. Default true.
   * @throws IommuError ENODEV outside the context table, EBUSY when it has a driver, ETIMEDOUT */
  *attachDevice(rid: number, device: number, deviceTlb: boolean = true): Procedure {
    this.#books.addDevice(rid, device, deviceTlb);
    yield* this.#orUndo(this.#ops.syncSteps(), () => {
      this.#books.clearContext(rid);
      this.#books.forgetDevice(rid);
    });
  }

  /** Takes a requester from its driver: every PASID is detached first. @throws IommuError ENODEV, ETIMEDOUT */
  *detachDevice(rid: number): Procedure {
    const attached = this.#books.of('detachDevice', rid);
    for (const pasid of [...attached.domains.keys()]) yield* this.detach(rid, pasid);
    const hasDeviceTlb = this.#books.tables.hasDeviceTlb(rid);
    this.#books.clearContext(rid);
    if (hasDeviceTlb) this.#ops.invalidateDevice(rid, -1);
    yield* this.#syncPastDevice();
    this.#books.forgetDevice(rid);
  }

  /** A device that was pulled out: what waits for its invalidations gives up. Its tables stay until {@link detachDevice}. */
  surpriseRemove(rid: number): void {
    Atomics.store(this.#words, deviceEntryAt(this.#words, this.#base, rid), NO_DEVICE);
  }

  /** Attaches a domain at a PASID, NO_PASID for traffic without one.
   * @throws IommuError ENODEV no such requester, EINVAL or ENOSPC as PasidTables.writePasid, EBUSY something is attached there, EOPNOTSUPP what
   * the unit lacks, ETIMEDOUT */
  *attach(rid: number, pasid: number, domain: VtdDomain): Procedure {
    const attached = this.#books.of('attach', rid);
    this.#books.addDomain(attached, pasid, domain);
    yield* this.#orUndo(this.#ops.syncSteps(), () => {
      this.#books.forgetDomain(attached, pasid);
      this.#ops.invalidatePasid(domain.did, pasid);
      if (domain.faults === true && !hasFaults(attached)) this.#books.flipPageRequests(rid, false);
    });
  }

  /** Attaches another domain in place of the present one; then drains what was asked on the old one's account.
   * @throws IommuError ENODEV, ENOENT nothing is attached there, EOPNOTSUPP, EINVAL, ETIMEDOUT */
  *replace(rid: number, pasid: number, domain: VtdDomain): Procedure {
    const attached = this.#books.of('replace', rid);
    const old = this.#books.domainAt('replace', attached, pasid);
    const hadFaults = hasFaults(attached);
    this.#books.swapDomain(attached, pasid, domain);
    yield* this.#orUndo(this.#flushReplaced(attached, pasid, old, hadFaults), () => {
      this.#books.swapDomain(attached, pasid, old);
      this.#books.flipPageRequests(rid, hadFaults);
    });
    if (hadFaults && !hasFaults(attached)) yield* this.#forgetFaults(attached);
  }

  /** Detaches: entry not present, caches invalidated, entry cleared, drained, and only then the last fault user's device forgotten.
   * @throws IommuError ENODEV, ENOENT nothing is attached there, ETIMEDOUT */
  *detach(rid: number, pasid: number): Procedure {
    const attached = this.#books.of('detach', rid);
    const old = this.#books.domainAt('detach', attached, pasid);
    yield* this.#tearDown(attached, pasid, old);
    attached.domains.set(pasid, { ...old, faults: false });
    if (old.faults === true && !hasFaults(attached)) {
      yield* this.#orUndo(this.#pageRequestsOff(rid), () => attached.domains.set(pasid, old));
      yield* this.#forgetFaults(attached);
    }
    this.#books.forgetDomain(attached, pasid);
  }

  /** A device's own domain gives way to blocking, in one of two orders.
   * `fence-first` is {@link detach}. `remove-first` is what Linux v7.0 does for a RID: the device leaves the fault queue before the entry goes,
   * so that the drain inside finds no fault user and returns at once, and requests that wait in the queue are reported afterwards. */
  *blockRid(rid: number, order: 'fence-first' | 'remove-first' = 'fence-first'): Procedure {
    if (order === 'fence-first') {
      yield* this.detach(rid, NO_PASID);
      return;
    }
    const attached = this.#books.of('blockRid', rid);
    const old = this.#books.domainAt('blockRid', attached, NO_PASID);
    attached.domains.set(NO_PASID, { ...old, faults: false });
    if (old.faults === true && !hasFaults(attached)) {
      yield* this.#pageRequestsOff(rid);
      yield* this.#forgetFaults(attached);
    }
    yield* this.#tearDown(attached, NO_PASID, old);
    this.#books.forgetDomain(attached, NO_PASID);
  }

  // The steps of turning PRI off, as core's PriDriver names them. Each passes over a device that does not answer.

  /** Every PASID of the requester stops translating: on return the hardware lets no further request of it in. */
  *blockDevice(rid: number): Procedure {
    const attached = this.#books.of('blockDevice', rid);
    const domains = [...attached.domains];
    for (const [pasid] of domains) this.#books.tables.unsetPasid(rid, pasid);
    while (domains.length > 0) {
      this.#books.invalidateDomains(rid, domains.splice(0, Math.floor(this.#ops.room / INVALIDATIONS_OF_A_DOMAIN)));
      yield* this.#syncPastDevice();
    }
  }

  /** Drains every PASID of a requester that was blocked: no report of an older request is under way or can start. */
  *fenceEventQueue(rid: number): Procedure {
    for (const [pasid, domain] of this.#books.of('fenceEventQueue', rid).domains)
      yield* this.drain(rid, pasid, domain.did);
  }

  /** On return the requester has every response that was queued before, by any thread: an invalidation pushes them. */
  *fenceResponses(rid: number): Procedure {
    this.#books.of('fenceResponses', rid);
    this.#ops.invalidateDevice(rid, -1);
    yield* this.#syncPastDevice();
  }

  /** PRE off, and the blocked PASIDs' entries cleared. PRI at the device goes off next, ATS last. */
  *disablePri(rid: number): Procedure {
    const attached = this.#books.of('disablePri', rid);
    for (const pasid of [...attached.domains.keys()]) this.#books.forgetDomain(attached, pasid);
    yield* this.#pageRequestsOff(rid);
  }

  /** Waits until nothing of the requester and PASID is under way: see Drain.run. Nothing to do when the requester has no domain with a fault
   * handler. @returns whether there was anything to do. @throws IommuError ENODEV, ETIMEDOUT */
  *drain(rid: number, pasid: number, did: number): Procedure<boolean> {
    const attached = this.#books.of('drain', rid);
    if (!hasFaults(attached)) return false;
    yield* this.#drainNow(attached, pasid, did);
    return true;
  }

  *#tearDown({ rid }: Attached, pasid: number, domain: VtdDomain): Procedure {
    this.#books.tables.unsetPasid(rid, pasid);
    this.#books.invalidateDomains(rid, [[pasid, domain]]);
    yield* this.#syncPastDevice();
    this.#books.tables.clearPasid(rid, pasid);
    yield* this.drain(rid, pasid, domain.did);
  }

  *#flushReplaced(attached: Attached, pasid: number, old: VtdDomain, hadFaults: boolean): Procedure {
    yield* this.#ops.syncSteps();
    if (!hadFaults) return;
    yield* this.#drainNow(attached, pasid, old.did);
    if (!hasFaults(attached)) yield* this.#pageRequestsOff(attached.rid);
  }

  *#drainNow({ rid, device }: Attached, pasid: number, did: number): Procedure {
    if (!(yield* this.#drain.run(rid, device, pasid, did))) this.passedOver++;
  }

  *#pageRequestsOff(rid: number): Procedure {
    this.#books.flipPageRequests(rid, false);
    yield* this.#ops.syncSteps();
  }

  *#forgetFaults({ device }: Attached): Procedure {
    const removed = this.#removeFaults?.(device);
    if (removed !== undefined) yield removed;
  }

  *#syncPastDevice(): Procedure {
    if (!(yield* this.#ops.syncPastDevice())) this.passedOver++;
  }

  /** @throws what `work` throws, after `undo` */
  *#orUndo(work: Procedure, undo: () => void): Procedure {
    try {
      yield* work;
    } catch (error) {
      undo();
      throw error;
    }
  }
}

const INVALIDATIONS_OF_A_DOMAIN = 3;
