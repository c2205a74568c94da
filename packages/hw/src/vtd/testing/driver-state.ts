import { IommuError } from '@faultline/core/errors';
import { getFields } from '../../record/fields.ts';
import { VTD_CONTEXT, VTD_DIRECTORIES } from '../layout.ts';
import { CONTEXT_FIELDS, CONTEXT_WORDS, PASID_ENTRY_FIELDS } from '../tables.ts';
import type { VtdOps } from '../vtd-ops.ts';
import { RID, type VtdRig } from './vtd-rig.ts';

/** Fields of a requester's context entry. */
export function contextOf(rig: VtdRig, rid: number = RID): Record<string, number> {
  return getFields(rig.words, rig.base + rig.words[rig.base + VTD_CONTEXT] + rid * CONTEXT_WORDS, CONTEXT_FIELDS);
}

/** Fields of a PASID's entry, all 0 while its table is not there. */
export function entryOf(rig: VtdRig, pasid: number, rid: number = RID): Record<string, number> {
  const directory = rig.base + rig.words[rig.base + VTD_DIRECTORIES] + rid * 1024;
  const table = (rig.words[directory + (pasid >> 6) * 2] & ~0xfff) >>> 2;
  if (table === 0) return Object.fromEntries(PASID_ENTRY_FIELDS.map(({ name }) => [name, 0]));
  return getFields(rig.words, table + (pasid & 63) * 16, PASID_ENTRY_FIELDS);
}

/** Has the nth batch fail as if the hardware did not run. @returns what ends it. */
export function injectFailure(ops: VtdOps, nth: number): () => void {
  const begin = ops.begin.bind(ops);
  let left = nth;
  ops.begin = (drain) => {
    if (--left === 0) throw new IommuError('ETIMEDOUT', 'VtdOps.sync', 'timeoutMs', 0, 'this batch was made to fail');
    begin(drain);
  };
  return () => {
    ops.begin = begin;
  };
}
