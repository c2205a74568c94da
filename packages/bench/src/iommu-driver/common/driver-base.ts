import { IommuError } from '@faultline/core/errors';
import type { DirtySink } from '@faultline/iommufd';
import type { PagingDomains } from './paging-domains.ts';

/** What drivers have in common: paging domains are {@link PagingDomains}, with the page tables of hw's behind them. */
export abstract class DriverBase {
  abstract readonly domains: PagingDomains;

  map(domain: number, iova: bigint, physical: number, bytes: number, prot: number): void {
    this.domains.map(domain, iova, physical, bytes, prot);
  }
  unmap(domain: number, iova: bigint, bytes: bigint): void {
    this.domains.unmap(domain, iova, bytes);
  }
  syncUnmaps(domain: number): void {
    this.domains.sync(domain);
  }
  iovaToPhys(domain: number, iova: bigint): number {
    return this.domains.iovaToPhys(domain, iova);
  }
  setDirtyTracking(domain: number, enable: boolean): void {
    this.domains.setDirtyTracking(domain, enable);
  }
  readDirty(domain: number, iova: bigint, bytes: bigint, keep: boolean, sink: DirtySink | undefined): void {
    this.domains.readDirty(domain, iova, bytes, keep, sink);
  }
  syncDirty(domain: number): void {
    this.domains.sync(domain);
  }
}

/** A driver of an IOMMU that has no vIOMMU. */
export abstract class DriverWithoutViommu extends DriverBase {
  hasViommu(): boolean {
    return false;
  }
  allocViommu(): void {
    noViommu();
  }
  freeViommu(): void {
    noViommu();
  }
  invalidateViommu(): void {
    noViommu();
  }
  allocVdevice(): void {
    noViommu();
  }
  freeVdevice(): void {
    noViommu();
  }
  hasHwQueue(): boolean {
    return false;
  }
  allocHwQueue(): number {
    return noViommu();
  }
  freeHwQueue(): void {
    noViommu();
  }
}

function noViommu(): never {
  throw new IommuError('EOPNOTSUPP', 'VIOMMU_ALLOC', 'type', 'any', 'the IOMMU has no vIOMMU');
}
