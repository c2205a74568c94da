import { checkInteger, IommuError } from '@faultline/core/errors';
import type { Procedure } from '../procedure/procedure.ts';
import type { AmdOps } from './amd-ops.ts';
import type { AmdAttach } from './attach.ts';
import type { BoundDevice, DeviceTables } from './device-tables.ts';
import type { AmdFeatures } from './features.ts';

/** log2 of the smallest page, which devices are told. */
const PAGE_LG2 = 12;
/** The PASID whose page table requests without a PASID use, where GIOV says so. */
const NO_PASID = 0;

/** What a device is attached to, and at which PASIDs. Whatever is replaced is invalidated on return: device table entry, pages of the
 * domain it had, at each of its PASIDs, and the device's own cache, in the order in which each feeds the next.
 * @see Linux drivers/iommu/amd/{iommu,pasid}.c */
export class AttachProcedures {
  readonly #ops: AmdOps;
  readonly #tables: DeviceTables;
  readonly #features: () => AmdFeatures;

  constructor(ops: AmdOps, tables: DeviceTables, features: () => AmdFeatures) {
    this.#ops = ops;
    this.#tables = tables;
    this.#features = features;
  }

  /** Gives the device id up: page requests off at the device, blocked, then ATS off, on which they rest. The caller has fenced the log and
   * answered what was pending. @throws IommuError ENODEV, ETIMEDOUT: it is still bound, try again */
  *unbind(deviceId: number): Procedure {
    const bound = this.#tables.get('AmdDriver.unbindDevice', deviceId);
    bound.pri?.disable();
    yield* this.block(deviceId);
    bound.ats?.disable();
    this.#tables.unbind(bound);
  }

  /** Attaches the device, with one completion wait; then ATS, where the device has it. If it fails, the device is attached as before.
   * @throws IommuError EINVAL, EBUSY (see dteFor), EOPNOTSUPP paging of kind v2 where it is not offered, ENOSPC no GCR3 table left for it,
   * ENODEV not bound, ETIMEDOUT */
  *attach(deviceId: number, attach: AmdAttach): Procedure {
    const call = 'AmdDriver.attach';
    const bound = this.#tables.get(call, deviceId);
    const old = bound.attach;
    if (attach.kind === 'blocking') return yield* this.block(deviceId);
    if (attach.kind === 'paging-v2' && !this.#features().guestIo)
      throw new IommuError('EOPNOTSUPP', call, 'kind', attach.kind, 'the IOMMU does not offer it');
    this.#write(call, bound, attach);
    try {
      yield* this.#flushEntry(bound, old);
    } catch (error) {
      this.#tables.store(bound, old);
      if (old.kind !== 'paging-v2') this.#tables.clearPasid(bound, NO_PASID);
      throw error;
    }
    bound.attach = attach;
    if (attach.kind !== 'paging-v2') this.#tables.clearPasid(bound, NO_PASID);
    if (bound.ats?.isEnabled() === false) bound.ats.enable(PAGE_LG2);
  }

  /** Stops the device: on return the hardware logs nothing more of it. Its driver stays known, so that late entries find it.
   * @throws IommuError ETIMEDOUT: the entry says so, but caches may not; try again */
  *block(deviceId: number): Procedure {
    const bound = this.#tables.get('AmdDriver.blockDevice', deviceId);
    this.#tables.store(bound, { kind: 'blocking' });
    yield* this.#flushEntry(bound, bound.attach);
    bound.attach = { kind: 'blocking' };
    this.#tables.clearPasid(bound, NO_PASID);
  }

  /** Installs a guest page table for a PASID: `rootPage` is its root's page number. The device's own cache is left alone, as it was cleared
   * of the PASID at the detach before and holds nothing that is not there (Linux invalidates it all the same). If it fails, the PASID is
   * free as before; a GCR3 table that was taken for it stays with the device, as the hardware may have its name.
   * @throws IommuError EINVAL, EBUSY taken, ENOSPC no GCR3 table left, ENODEV not bound, EOPNOTSUPP a device that is not attached, or nested;
   * ETIMEDOUT */
  *attachPasid(deviceId: number, pasid: number, rootPage: number): Procedure {
    const call = 'AmdDriver.attachPasid';
    const bound = this.#tables.get(call, deviceId);
    const { attach } = bound;
    checkInteger(call, 'pasid', pasid, 1, bound.maxPasids - 1);
    checkInteger(call, 'rootPage', rootPage, 0, 2 ** 40 - 1);
    if (attach.kind === 'blocking' || attach.kind === 'nested')
      throw new IommuError('EOPNOTSUPP', call, 'deviceId', deviceId, `is attached ${attach.kind}`);
    if (this.#tables.hasPasid(bound, pasid) || bound.stale.has(pasid))
      throw new IommuError('EBUSY', call, 'pasid', pasid, 'has a page table');
    const isNew = this.#tables.takeTable(call, bound);
    this.#tables.setPasid(bound, pasid, rootPage);
    try {
      if (isNew) {
        this.#tables.store(bound, attach);
        this.#ops.invalidateDevtabEntry(deviceId);
      }
      this.#ops.invalidatePages(attach.domain, pasid);
      yield* this.#ops.syncSteps();
    } catch (error) {
      this.#tables.clearPasid(bound, pasid);
      throw error;
    }
  }

  /** Removes a PASID's page table: its entry is cleared, then everything that may hold it is invalidated, with one completion wait.
   * @throws IommuError ENOENT nothing is attached there, ENODEV, ETIMEDOUT: caches may hold it still, and it stays taken; try again */
  *detachPasid(deviceId: number, pasid: number): Procedure {
    const call = 'AmdDriver.detachPasid';
    const bound = this.#tables.get(call, deviceId);
    checkInteger(call, 'pasid', pasid, 1, bound.maxPasids - 1);
    if (!this.#tables.hasPasid(bound, pasid) && !bound.stale.has(pasid))
      throw new IommuError('ENOENT', call, 'pasid', pasid, 'has no page table');
    this.#tables.clearPasid(bound, pasid);
    bound.stale.add(pasid);
    if (bound.attach.kind !== 'blocking') this.#ops.invalidatePages(bound.attach.domain, pasid);
    this.#invalidateIotlb(bound, pasid);
    yield* this.#ops.syncSteps();
    bound.stale.delete(pasid);
  }

  /** Lets the device send page requests, `wanted` outstanding at most: entry first, device last. PRI rests on ATS, which {@link attach}
   * switched on. If it fails, the entry says no as before.
   * @throws IommuError EINVAL not attached, EBUSY on already, or the device has not stopped since the last time; ETIMEDOUT */
  *enablePri(deviceId: number, wanted: number): Procedure {
    const call = 'AmdDriver.enablePri';
    const bound = this.#tables.get(call, deviceId);
    if (bound.attach.kind === 'blocking') throw new IommuError('EINVAL', call, 'deviceId', deviceId, 'is blocked');
    if (bound.ppr) throw new IommuError('EBUSY', call, 'deviceId', deviceId, 'may send page requests already');
    bound.ppr = true;
    try {
      yield* this.#updateEntry(bound);
    } catch (error) {
      bound.ppr = false;
      this.#tables.store(bound, bound.attach);
      throw error;
    }
    try {
      bound.pri?.enable(wanted);
    } catch (error) {
      bound.ppr = false;
      yield* this.#updateEntry(bound);
      throw error;
    }
  }

  /** Takes the permission away, at the device first: it has had all its answers. Late requests are answered Invalid by the hardware.
   * @throws IommuError ENODEV, ETIMEDOUT: the entry says so, but the hardware's copy may not; try again */
  *disablePri(deviceId: number): Procedure {
    const bound = this.#tables.get('AmdDriver.disablePri', deviceId);
    bound.pri?.disable();
    bound.ppr = false;
    yield* this.#updateEntry(bound);
  }

  /** Refuses before anything has changed. */
  #write(call: string, bound: BoundDevice, attach: AmdAttach): void {
    const isNew = attach.kind === 'paging-v2' && this.#tables.takeTable(call, bound);
    try {
      this.#tables.store(bound, attach);
    } catch (error) {
      if (isNew) this.#tables.dropTable(bound);
      throw error;
    }
  }

  *#updateEntry(bound: BoundDevice): Procedure {
    this.#tables.store(bound, bound.attach);
    this.#ops.invalidateDevtabEntry(bound.deviceId);
    yield* this.#ops.syncSteps();
  }

  *#flushEntry(bound: BoundDevice, old: AmdAttach): Procedure {
    this.#ops.invalidateDevtabEntry(bound.deviceId);
    if (old.kind !== 'blocking') {
      this.#ops.invalidatePages(old.domain, -1);
      for (const pasid of this.#tables.pasidsOf(bound)) this.#ops.invalidatePages(old.domain, pasid);
      this.#invalidateIotlb(bound, -1);
    }
    yield* this.#ops.syncSteps();
  }

  /** A device without ATS, or with it off, has no cache to invalidate. */
  #invalidateIotlb(bound: BoundDevice, pasid: number): void {
    if (bound.ats?.isEnabled() !== true) return;
    this.#ops.invalidateIotlb(bound.deviceId, pasid, undefined, undefined, bound.ats.invalidateDepth);
  }
}
