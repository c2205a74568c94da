import { IommuError } from '@faultline/core/errors';
import { CD_WORDS } from './cd.ts';
import type { PagingDomain, SmmuDomain } from './domains.ts';
import type { SmmuFeatures } from './probe.ts';
import { S1DSS_BYPASS, S1DSS_SSID0, S1DSS_TERMINATE, STE_CONFIG_S1 } from './ste.ts';
import {
  abortEntry,
  bypassEntry,
  contextEntry,
  contextTableEntry,
  type EntryParts,
  nestedEntry,
  nestedFields,
  type Stage1Context,
  stage2Entry,
} from './stream-entries.ts';

// What a master can be attached to, and which entries that makes.

/** What of a master an attach goes by. */
export interface MasterState {
  readonly features: SmmuFeatures;
  /** Whether its faults stall. */
  readonly stalls: boolean;
  /** Its StreamIDs. */
  readonly streams: number;
  /** PASIDs that are attached. */
  readonly pasids: number;
  /** Whether function and SMMU have ATS. */
  readonly ats: boolean;
  readonly pasidInResponses: boolean;
  /** Its table of contexts: word offset, and descriptors, log2. */
  readonly tableAt: number;
  readonly log2: number;
}

const CALL = 'attach';

/** @throws IommuError EOPNOTSUPP a stage that the SMMU lacks, or as {@link checkFaults}; EINVAL nested over stage 1; EBUSY stage 2 while
 * PASIDs are attached. */
export function checkDomain(domain: SmmuDomain, state: MasterState): void {
  const { features, pasids } = state;
  const stage1 = domain.kind === 'nested' || stage1Of(domain) !== undefined;
  const stage2 = domain.kind === 'nested' || (domain.kind === 'paging' && domain.stage2 !== undefined);
  if ((stage1 && !features.stage1) || (stage2 && !features.stage2))
    throw new IommuError('EOPNOTSUPP', CALL, 'domain', domain.kind, 'needs a stage that the SMMU lacks');
  if (domain.kind === 'nested' && domain.parent.stage2 === undefined) notStage2();
  if (stage2 && pasids !== 0) throw new IommuError('EBUSY', CALL, 'pasids', pasids, 'are attached');
  if (domain.kind === 'paging') checkFaults(domain, state);
}

/** An event names one stream alone: with several, an answer could go to the wrong one. @throws IommuError EOPNOTSUPP */
export function checkFaults(domain: PagingDomain, { stalls, streams }: MasterState): void {
  if (domain.faults && stalls && streams !== 1)
    throw new IommuError('EOPNOTSUPP', CALL, 'streamIds.length', streams, 'must be 1 to stall');
}

/** Bypass and abort have no ATS, unless a PASID beside them needs it: then their entry has a table, and S1DSS says what they are. */
export function wantsAts(domain: SmmuDomain, { ats, stalls, pasids }: MasterState): boolean {
  if (!ats) return false;
  if (domain.kind === 'paging') return domain.stage2 === undefined || !stalls;
  if (domain.kind === 'nested') {
    const user = nestedFields(domain.user);
    return user.v === 1 && user.config === STE_CONFIG_S1 && user.eats === 1 && !stalls;
  }
  return pasids !== 0;
}

/** The entry of the streams. @throws IommuError EIO a user's that is not let through */
export function entryFor(domain: SmmuDomain, state: MasterState, ats: boolean): Int32Array {
  const parts: EntryParts = { ...state, ats };
  if (domain.kind === 'nested') return nestedEntry(parts, domain.parent.stage2 ?? notStage2(), domain.user);
  if (domain.kind === 'paging' && domain.stage2 !== undefined) return stage2Entry(parts, domain.stage2);
  if (domain.kind === 'paging' || state.pasids !== 0)
    return contextTableEntry(parts, state.tableAt, state.log2, dssOf(domain));
  return domain.kind === 'identity' ? bypassEntry() : abortEntry();
}

/** The entry of streams that keep their domain, beside PASIDs. */
export function tableEntry(domain: SmmuDomain, state: MasterState): Int32Array {
  return contextTableEntry(state, state.tableAt, state.log2, dssOf(domain));
}

/** The descriptor of a domain: empty for one without. */
export function contextOf(domain: SmmuDomain, state: MasterState): Int32Array {
  const stage1 = stage1Of(domain);
  return stage1 === undefined ? new Int32Array(CD_WORDS) : contextEntry(state, stage1);
}

export function stage1Of(domain: SmmuDomain): Stage1Context | undefined {
  return domain.kind === 'paging' ? domain.stage1 : undefined;
}

/** What of a domain counts its users, and is invalidated. */
export function pagingOf(domain: SmmuDomain): PagingDomain | undefined {
  if (domain.kind === 'paging') return domain;
  return domain.kind === 'nested' ? domain.parent : undefined;
}

/** Without a SubstreamID, where there are some. */
function dssOf(domain: SmmuDomain): number {
  if (domain.kind === 'identity') return S1DSS_BYPASS;
  return domain.kind === 'paging' ? S1DSS_SSID0 : S1DSS_TERMINATE;
}

function notStage2(): never {
  throw new IommuError('EINVAL', CALL, 'parent', 'stage 1', 'must be stage 2');
}
