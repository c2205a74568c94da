import { IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import { getFields } from '../record/fields.ts';
import { CAPABILITY_FIELDS } from './capabilities.ts';
import { VTD_CAP } from './layout.ts';
import { checkVtd } from './unit.ts';

/** What a driver makes of the capability registers. */
export interface VtdFeatures {
  readonly queuedInvalidation: boolean;
  /** Context entries with PASID directories, descriptors of 256 bits. */
  readonly scalable: boolean;
  readonly deviceTlb: boolean;
  readonly pageRequests: boolean;
  /** Waits with PD. */
  readonly pageRequestDrain: boolean;
  /** Width of PASIDs, 0 without. */
  readonly pasidBits: number;
  readonly firstLevel: boolean;
  readonly secondLevel: boolean;
  readonly nested: boolean;
  readonly passThrough: boolean;
  readonly execute: boolean;
  readonly supervisor: boolean;
  readonly extendedAccessed: boolean;
  readonly secondLevelDirty: boolean;
  /** Width of virtual addresses. */
  readonly addressBits: 48 | 57;
  readonly domainBits: number;
  readonly faultRecords: number;
  /** Largest page-selective invalidation, log2 of the pages; -1 for none. */
  readonly maxInvalidationLg2: number;
}

/** CAP and ECAP as software reads them, 64 bits each. @throws IommuError EINVAL when no unit was laid out at `base` */
export function readCapabilityRegisters(words: Words, base: number): { readonly cap: bigint; readonly ecap: bigint } {
  checkVtd(words, base, 'readCapabilityRegisters');
  const registerAt = (at: number): bigint => (BigInt(words[at + 1] >>> 0) << 32n) | BigInt(words[at] >>> 0);
  return { cap: registerAt(base + VTD_CAP), ecap: registerAt(base + VTD_CAP + 2) };
}

/** Reads what a unit offers. @throws IommuError EINVAL when no unit was laid out at `base` */
export function readFeatures(words: Words, base: number): VtdFeatures {
  checkVtd(words, base, 'readFeatures');
  const has = getFields(words, base + VTD_CAP, CAPABILITY_FIELDS);
  return {
    queuedInvalidation: has.qi === 1,
    scalable: has.smts === 1,
    deviceTlb: has.dt === 1,
    pageRequests: has.prs === 1,
    pageRequestDrain: has.pds === 1,
    pasidBits: has.pasid === 1 ? has.pss + 1 : 0,
    firstLevel: has.flts === 1,
    secondLevel: has.slts === 1,
    nested: has.nest === 1,
    passThrough: has.pt === 1,
    execute: has.ers === 1,
    supervisor: has.srs === 1,
    extendedAccessed: has.eafs === 1,
    secondLevelDirty: has.slads === 1,
    addressBits: has.fl5lp === 1 ? 57 : 48,
    domainBits: 4 + 2 * has.nd,
    faultRecords: has.nfr + 1,
    maxInvalidationLg2: has.psi === 1 ? has.mamv : -1,
  };
}

/** {@link readFeatures}, and refuses a unit whose page requests cannot be driven: without queued invalidation there is no response, without
 * scalable mode no page request. @throws IommuError EINVAL; ENODEV naming the register field */
export function probeVtd(words: Words, base: number): VtdFeatures {
  const features = readFeatures(words, base);
  const need = (field: string, has: boolean): void => {
    if (!has) throw new IommuError('ENODEV', 'probeVtd', field, 0, 'no page request can be answered without');
  };
  need('ECAP.QI', features.queuedInvalidation);
  need('ECAP.SMTS', features.scalable);
  need('ECAP.DT', features.deviceTlb);
  need('ECAP.PRS', features.pageRequests);
  return features;
}
