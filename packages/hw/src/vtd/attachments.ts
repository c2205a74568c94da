import { IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import { NO_DEVICE } from './layout.ts';
import { PasidTables } from './pasid-tables.ts';
import { readFeatures, type VtdFeatures } from './probe.ts';
import { NO_PASID, type Translation } from './tables.ts';
import { deviceEntryAt } from './unit.ts';
import type { VtdOps } from './vtd-ops.ts';

/** What is attached at a PASID: its translation, and whether its faults are reported to a handler. */
export interface VtdDomain extends Translation {
  /** Default false: page requests are not let in on its account. */
  readonly faults?: boolean;
}

/** A requester that has a driver. */
export interface Attached {
  readonly rid: number;
  /** Index in the core's device table. */
  readonly device: number;
  readonly domains: DomainsByPasid;
}

/** A requester's domains by PASID: a Map, or what stands for one in memory that other threads' drivers see. */
export interface DomainsByPasid extends Iterable<readonly [number, VtdDomain]> {
  get(pasid: number): VtdDomain | undefined;
  has(pasid: number): boolean;
  set(pasid: number, domain: VtdDomain): unknown;
  delete(pasid: number): unknown;
  keys(): Iterable<number>;
  values(): Iterable<VtdDomain>;
}

/** Requesters that have a driver, by RID: a Map, or what stands for one. What is set may be given back as another object, of the same
 * RID and device. Calls for one requester come one at a time. */
export interface AttachedByRid {
  get(rid: number): Attached | undefined;
  has(rid: number): boolean;
  set(rid: number, attached: Attached): unknown;
  delete(rid: number): unknown;
}

/** Whether a domain of the requester has a fault handler: PRE is set as long as one has. */
export function hasFaults({ domains }: Attached): boolean {
  for (const { faults } of domains.values()) if (faults === true) return true;
  return false;
}

/** The driver's books, and the tables and invalidations that go with each entry. Nothing here waits: invalidations are added to the batch, and
 * whoever calls syncs. One thread's view: the books may be shared. */
export class Attachments {
  readonly tables: PasidTables;
  readonly #words: Words;
  readonly #base: number;
  readonly #ops: VtdOps;
  readonly #features: VtdFeatures;
  readonly #attached: AttachedByRid;

  constructor(words: Words, base: number, ops: VtdOps, attached: AttachedByRid = new Map()) {
    this.#words = words;
    this.#base = base;
    this.#ops = ops;
    this.#attached = attached;
    this.#features = readFeatures(words, base);
    this.tables = new PasidTables(words, base);
  }

  /** @throws IommuError ENODEV */
  of(call: string, rid: number): Attached {
    const attached = this.#attached.get(rid);
    if (attached === undefined) throw new IommuError('ENODEV', call, 'rid', rid, 'is not attached');
    return attached;
  }

  /** @throws IommuError ENOENT */
  domainAt(call: string, attached: Attached, pasid: number): VtdDomain {
    const domain = attached.domains.get(pasid);
    if (domain === undefined) throw new IommuError('ENOENT', call, 'pasid', pasid, 'nothing is attached there');
    return domain;
  }

  /** Names the device, then lets its context entry in: no PASID translates. @throws IommuError ENODEV, EBUSY it has a driver */
  addDevice(rid: number, device: number, deviceTlb: boolean): void {
    const at = deviceEntryAt(this.#words, this.#base, rid);
    if (this.#attached.has(rid) || Atomics.load(this.#words, at) !== NO_DEVICE)
      throw new IommuError('EBUSY', 'attachDevice', 'rid', rid, 'has a driver already');
    this.#attached.set(rid, { rid, device, domains: new Map() });
    Atomics.store(this.#words, at, device + 1);
    this.tables.writeContext(rid, deviceTlb);
    this.#ops.invalidateContext(rid);
  }

  /** The context entry goes; the device keeps its name until {@link forgetDevice}. */
  clearContext(rid: number): void {
    this.tables.clearContext(rid);
    this.#ops.invalidateContext(rid);
  }

  forgetDevice(rid: number): void {
    Atomics.store(this.#words, deviceEntryAt(this.#words, this.#base, rid), NO_DEVICE);
    this.#attached.delete(rid);
  }

  /** A domain at a free PASID. @throws IommuError as PasidTables.writePasid; EOPNOTSUPP what the unit lacks. Nothing is changed then */
  addDomain(attached: Attached, pasid: number, domain: VtdDomain): void {
    this.#checkOffered('attach', attached.rid, domain);
    if (attached.domains.has(pasid)) throw new IommuError('EBUSY', 'attach', 'pasid', pasid, 'is attached already'); // or its detaching is not over
    this.tables.writePasid(attached.rid, pasid, domain);
    this.#enter(attached, pasid, domain);
    this.#ops.invalidatePasid(domain.did, pasid); // entries that were not present are not kept, but a unit may say otherwise (CAP.CM)
  }

  /** Another domain at a PASID; invalidates what is kept of the present one. @throws IommuError as {@link addDomain}, ENOENT */
  swapDomain(attached: Attached, pasid: number, domain: VtdDomain): void {
    this.#checkOffered('replace', attached.rid, domain);
    const old = this.domainAt('replace', attached, pasid);
    this.tables.replacePasid(attached.rid, pasid, domain);
    this.#enter(attached, pasid, domain);
    this.invalidateDomains(attached.rid, [[pasid, old]]);
  }

  /** Takes a domain out of the books; its entry is cleared. */
  forgetDomain(attached: Attached, pasid: number): void {
    this.tables.clearPasid(attached.rid, pasid);
    attached.domains.delete(pasid);
  }

  /** PASID cache, then IOTLB, then device-TLB where there is one, of PASIDs whose entries have changed. */
  invalidateDomains(rid: number, domains: Iterable<readonly [number, VtdDomain]>): void {
    const list = [...domains];
    for (const [pasid, domain] of list) this.#ops.invalidatePasid(domain.did, pasid);
    for (const [pasid, { kind, did }] of list)
      this.#ops.invalidateAll(did, kind === 'second-level' || kind === 'nested' ? -1 : pasid);
    if (!this.tables.hasDeviceTlb(rid)) return;
    for (const [pasid] of list) this.#ops.invalidateDevice(rid, pasid === NO_PASID ? -1 : pasid);
  }

  /** Sets or clears PRE. */
  flipPageRequests(rid: number, on: boolean): void {
    this.tables.enablePageRequests(rid, on);
    this.#ops.invalidateContext(rid);
  }

  /** The first domain with a fault handler has page requests let in. */
  #enter(attached: Attached, pasid: number, domain: VtdDomain): void {
    if (domain.faults === true && !hasFaults(attached)) this.flipPageRequests(attached.rid, true);
    attached.domains.set(pasid, domain);
  }

  /** @throws IommuError EOPNOTSUPP */
  #checkOffered(call: string, rid: number, { kind, faults, execute, supervisor }: VtdDomain): void {
    const has = this.#features;
    const kinds: Readonly<Record<VtdDomain['kind'], boolean>> = {
      identity: has.passThrough,
      'first-level': has.firstLevel,
      'second-level': has.secondLevel,
      nested: has.nested && has.firstLevel && has.secondLevel,
    };
    const offer = (field: string, value: unknown, offered: boolean): void => {
      if (!offered) throw new IommuError('EOPNOTSUPP', call, field, value, 'the unit does not offer it');
    };
    offer('kind', kind, kinds[kind]);
    offer('faults', true, faults !== true || (has.pageRequests && has.deviceTlb && this.tables.hasDeviceTlb(rid)));
    offer('execute', true, execute !== true || has.execute);
    offer('supervisor', true, supervisor !== true || has.supervisor);
  }
}
