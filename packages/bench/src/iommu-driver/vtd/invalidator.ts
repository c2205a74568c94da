// From ranges of a domain to descriptors: whoever may have kept something of it is told.
import type { Words } from '@faultline/core/sync';
import type { Invalidator } from '@faultline/hw/page-table';
import type { VtdOps } from '@faultline/hw/vtd';
import { type AttachedDomains, DOMAIN_NESTED, type PagingDomains, runBlocking } from '../common/index.ts';
import type { VtdDevices } from './devices.ts';
import { CODE_SECOND } from './layout.ts';

/** Descriptors of one attachment. */
const OF_AN_ATTACHMENT = 2;

export interface InvalidatorParts {
  readonly words: Words;
  readonly ops: VtdOps;
  readonly domains: PagingDomains;
  readonly attached: AttachedDomains;
  readonly devices: VtdDevices;
  readonly between: (() => void) | undefined;
}

/** Invalidates one domain, and what is nested on it: by range where the hardware's tags are the domain's own, else all of it.
 * A device that does not complete its invalidations is passed over: it may be gone.
 * @see Linux drivers/iommu/intel/cache.c cache_tag_flush_range() */
export class DomainInvalidator implements Invalidator {
  readonly #parts: InvalidatorParts;
  readonly #domain: number;
  #open = false;

  constructor(parts: InvalidatorParts, domain: number) {
    this.#parts = parts;
    this.#domain = domain;
  }

  /** @param pages Infinity: everything. */
  range(page: number, pages: number): void {
    const { attached, domains, devices, ops } = this.#parts;
    const domain = this.#domain;
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
      this.#open = true;
    }
  }

  invalidate(first: number, last: number): void {
    this.range(first, last - first + 1);
  }

  sync(): void {
    if (!this.#open) return;
    this.#open = false;
    runBlocking(this.#parts.words, this.#parts.ops.syncPastDevice(), this.#parts.between);
  }
}
