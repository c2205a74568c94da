import type { SmmuOps } from './smmu-ops.ts';
import type { Stage1Context, Stage2Tables } from './stream-entries.ts';
import type { VirtualArea } from './virtual/layout.ts';
import { nestedVste } from './virtual/nested-domain.ts';

// What a master can be attached to. The objects live in the thread that attaches; page tables are somebody else's.

/** Accesses are aborted, in silence. */
export interface BlockedDomain {
  readonly kind: 'blocked';
}

/** Accesses go through untranslated. */
export interface IdentityDomain {
  readonly kind: 'identity';
}

/** Stage 1 behind an ASID, or stage 2 behind a VMID. */
export class PagingDomain {
  readonly kind = 'paging';
  readonly stage1: Stage1Context | undefined;
  readonly stage2: Stage2Tables | undefined;
  /** Whether faults are reported to a handler. */
  readonly faults: boolean;
  #users = 0;

  constructor(tables: { readonly stage1: Stage1Context } | { readonly stage2: Stage2Tables }, faults: boolean = false) {
    this.stage1 = 'stage1' in tables ? tables.stage1 : undefined;
    this.stage2 = 'stage2' in tables ? tables.stage2 : undefined;
    this.faults = faults;
  }

  /** Attachments, streams and PASIDs. */
  get users(): number {
    return this.#users;
  }

  link(): void {
    this.#users++;
  }

  /** @returns whether it was the last attachment: its translations are then to be invalidated. */
  unlink(): boolean {
    return --this.#users === 0;
  }

  /** Queues the invalidation of everything cached behind the ASID or VMID. */
  invalidate(ops: SmmuOps): void {
    if (this.stage1 !== undefined) ops.invalidateAsid(this.stage1.asid);
    else if (this.stage2 !== undefined) ops.invalidateVmid(this.stage2.vmid);
  }
}

/** A user's stage 1 over our stage 2. */
export interface NestedDomain {
  readonly kind: 'nested';
  readonly parent: PagingDomain;
  /** The user's entry: w0 and w1 as four words of 32 bits. */
  readonly user: readonly number[];
  /** Where its vSMMU is. Without, no guest is told of events. */
  readonly virtual?: { readonly area: VirtualArea; readonly domain: number };
}

/** A nested domain of a vSMMU (allocNested()), for {@link SmmuMaster.attach}. `parent` is the stage 2 whose VMID the vSMMU has. The caller owns
 * the domain, and keeps it as long as this. @throws IommuError EINVAL for a number that is none. */
export function virtualNested(area: VirtualArea, domain: number, parent: PagingDomain): NestedDomain {
  return { kind: 'nested', parent, user: nestedVste(area, domain), virtual: { area, domain } };
}

export type SmmuDomain = BlockedDomain | IdentityDomain | PagingDomain | NestedDomain;

export const BLOCKED: BlockedDomain = { kind: 'blocked' };
export const IDENTITY: IdentityDomain = { kind: 'identity' };
