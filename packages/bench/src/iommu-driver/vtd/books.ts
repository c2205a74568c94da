// The books of VtdProcedures over shared rows, so that any thread detaches what another attached.
import type { Attached, AttachedByRid, DomainsByPasid, VtdDomain } from '@faultline/hw/vtd';
import { ATTACHED_FAULTS, type AttachedDomains, type Attachment, isCurrent, type Requesters } from '../common/index.ts';

/** What a domain is to the unit. @param faults page requests are let in on its account. */
export type DescribeDomain = (domain: number, faults: boolean) => VtdDomain;

export class SharedBooks implements AttachedByRid {
  readonly #devices: Requesters;
  readonly #attached: AttachedDomains;
  readonly #describe: DescribeDomain;

  constructor(devices: Requesters, attached: AttachedDomains, describe: DescribeDomain) {
    this.#devices = devices;
    this.#attached = attached;
    this.#describe = describe;
  }

  get(rid: number): Attached | undefined {
    const device = this.#devices.byRid(rid);
    if (device === 0 || !this.#devices.isBound(device)) return undefined;
    return { rid, device, domains: new SharedDomains(this.#attached, device, this.#describe) };
  }
  has(rid: number): boolean {
    return this.get(rid) !== undefined;
  }
  set(_rid: number, { device }: Attached): void {
    this.#devices.setBound(device, true);
  }
  delete(rid: number): void {
    this.#devices.setBound(this.#devices.byRid(rid), false);
  }
}

/** A device's domains. Which is which is told by its domain id: the core's number. */
class SharedDomains implements DomainsByPasid {
  readonly #attached: AttachedDomains;
  readonly #device: number;
  readonly #describe: DescribeDomain;

  constructor(attached: AttachedDomains, device: number, describe: DescribeDomain) {
    this.#attached = attached;
    this.#device = device;
    this.#describe = describe;
  }

  get(pasid: number): VtdDomain | undefined {
    const row = this.#rows().find((each) => each.pasid === pasid);
    return row === undefined ? undefined : this.#domainOf(row);
  }
  has(pasid: number): boolean {
    return this.get(pasid) !== undefined;
  }
  set(pasid: number, { did, faults }: VtdDomain): void {
    this.#attached.setCurrent(this.#device, pasid, did, faults === true ? ATTACHED_FAULTS : 0);
  }
  delete(pasid: number): void {
    this.#attached.setCurrent(this.#device, pasid, 0);
  }
  keys(): number[] {
    return this.#rows().map(({ pasid }) => pasid);
  }
  values(): VtdDomain[] {
    return this.#rows().map((row) => this.#domainOf(row));
  }
  [Symbol.iterator](): Iterator<readonly [number, VtdDomain]> {
    return this.#rows()
      .map((row): readonly [number, VtdDomain] => [row.pasid, this.#domainOf(row)])
      .values();
  }

  #rows(): Attachment[] {
    return this.#attached.list((each) => each.device === this.#device && isCurrent(each));
  }
  #domainOf({ domain, flags }: Attachment): VtdDomain {
    return this.#describe(domain, (flags & ATTACHED_FAULTS) !== 0);
  }
}
