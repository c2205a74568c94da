// From ranges of a domain to descriptors.
import type { Invalidator } from '@faultline/hw/page-table';
import type { Procedure, VtdOps } from '@faultline/hw/vtd';
import { DOMAIN_NESTED, QueuedInvalidator } from '../common/index.ts';
import { CODE_SECOND } from './layout.ts';

/** Descriptors of one attachment. */
const OF_AN_ATTACHMENT = 2;

/** Invalidates one domain, and what is nested on it: by range where the hardware's tags are the domain's own, else all of it.
 * A device that does not complete its invalidations is passed over: it may be gone.
 * @see Linux drivers/iommu/intel/cache.c cache_tag_flush_range() */
export class DomainInvalidator extends QueuedInvalidator<VtdOps> implements Invalidator {
  /** @param pages Infinity: everything. */
  range(page: number, pages: number): void {
    const { attached, domains, devices, ops } = this.parts;
    const { domain } = this;
    const tags = attached.list((each) => each.domain === domain || domains.parentOf(each.domain) === domain);
    for (const tag of tags) {
      if (ops.room < OF_AN_ATTACHMENT) this.sync();
      const { rid, functionAt } = devices.get(tag.device);
      const own = tag.domain === domain;
      const span = own ? pages : Infinity; // a nested domain's addresses are not its parent's
      const isSecond = domains.kindOf(domain) !== DOMAIN_NESTED && domains.codeOf(domain) >= CODE_SECOND;
      const pasid = isSecond ? -1 : tag.pasid;
      const [lo, hi] = [page | 0, Math.floor(page / 2 ** 32)];
      if (span === Infinity) ops.invalidateAll(tag.domain, pasid);
      else ops.invalidateRange(tag.domain, pasid, lo, hi, span);
      if (functionAt !== 0) ops.invalidateDevice(rid, tag.pasid === 0 ? -1 : tag.pasid, lo, hi, span);
      this.isOpen = true;
    }
  }

  invalidate(first: number, last: number): void {
    this.range(first, last - first + 1);
  }

  protected override syncSteps(): Procedure<unknown> {
    return this.parts.ops.syncPastDevice();
  }
}
