// From ranges of a domain to commands.
import { type AmdOps, LAST_PAGE_NUMBER, type Procedure } from '@faultline/hw/amd';
import type { Invalidator } from '@faultline/hw/page-table';
import { QueuedInvalidator } from '../common/index.ts';
import { CODE_GUEST } from './layout.ts';

/** Invalidates one domain: in the IOMMU by the domain id of the device's table entry, then in the devices' own caches.
 * @see Linux drivers/iommu/amd/iommu.c amd_iommu_domain_flush_pages() */
export class DomainInvalidator extends QueuedInvalidator<AmdOps> implements Invalidator {
  invalidate(first: number, last: number): void {
    const { attached, domains, devices, ops } = this.parts;
    const { domain } = this;
    const end = Math.min(last, LAST_PAGE_NUMBER);
    const withoutPasid = domains.codeOf(domain) === CODE_GUEST ? 0 : -1; // the guest table of PASID 0
    for (const { device, pasid } of attached.list((each) => each.domain === domain)) {
      const { rid, functionAt } = devices.get(device);
      // What a PASID has is kept under the id of the device's own domain.
      if (pasid === 0) ops.invalidatePages(domain, withoutPasid, first, end);
      else ops.invalidatePages(attached.domainOf(device, 0) || domain, pasid, first, end);
      if (functionAt !== 0) ops.invalidateIotlb(rid, pasid === 0 ? -1 : pasid, first, end);
      this.isOpen = true;
    }
  }

  protected override syncSteps(): Procedure<unknown> {
    return this.parts.ops.syncSteps();
  }
}
