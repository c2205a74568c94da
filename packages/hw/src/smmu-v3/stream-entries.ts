import { IommuError } from '@faultline/core/errors';
import type { FieldValues } from '../record/fields.ts';
import { CD_WORDS, encodeCd } from './cd.ts';
import { CONTEXT_DEFAULTS, contextPointer } from './context-area.ts';
import type { SmmuFeatures } from './probe.ts';
import {
  decodeSte,
  EATS_ABORT,
  EATS_FULL,
  encodeSte,
  S1DSS_BYPASS,
  S1FMT_LINEAR,
  STE_CONFIG_ABORT,
  STE_CONFIG_BYPASS,
  STE_CONFIG_NESTED,
  STE_CONFIG_S1,
  STE_CONFIG_S2,
  STE_RECORD_WORDS,
} from './ste.ts';

// Stream table entries and context descriptors as Linux's driver makes them (arm_smmu_make_*).

const WBRA = 1; // write-back, read-allocate
const INNER_SHAREABLE = 3;
const INCOMING = 1;

/** What of a master goes into its entries. */
export interface EntryParts {
  readonly features: SmmuFeatures;
  /** Whether the master's faults stall. */
  readonly stalls: boolean;
  readonly ats: boolean;
  /** Whether automatic responses carry the PASID: what the function's PRI status says it requires. */
  readonly pasidInResponses: boolean;
}

export interface Stage1Context {
  readonly asid: number;
  /** Word offset of the table that TTB0 names. */
  readonly tableAt: number;
  /** Whether hardware keeps access flags and dirty state. Default false. */
  readonly dirtyTracking?: boolean;
  /** Descriptor fields that differ from {@link CONTEXT_DEFAULTS}. */
  readonly fields?: FieldValues;
}

export interface Stage2Tables {
  readonly vmid: number;
  /** Word offset of the table that S2TTB names. */
  readonly tableAt: number;
  /** Entry fields that differ from 48 bits of 4 KiB pages, walked from level 0. */
  readonly fields?: FieldValues;
}

function ste(values: FieldValues): Int32Array {
  const entry = new Int32Array(STE_RECORD_WORDS);
  encodeSte(entry, 0, values);
  return entry;
}

function pointer(name: string, tableAt: number): FieldValues {
  return { [`${name}Lo`]: (tableAt << 2) >>> 0, [`${name}Hi`]: tableAt >>> 30 };
}

export function abortEntry(): Int32Array {
  return ste({ v: 1, config: STE_CONFIG_ABORT });
}

export function bypassEntry(): Int32Array {
  return ste({ v: 1, config: STE_CONFIG_BYPASS, shCfg: INCOMING });
}

/** An entry over a linear table of 2^`log2` context descriptors. */
export function contextTableEntry(parts: EntryParts, tableAt: number, log2: number, s1DSS: number): Int32Array {
  return ste({
    v: 1,
    config: STE_CONFIG_S1,
    s1Fmt: S1FMT_LINEAR,
    ...contextPointer(tableAt),
    s1CDMax: log2,
    s1DSS,
    s1CIR: WBRA,
    s1COR: WBRA,
    s1CSH: INNER_SHAREABLE,
    s1STALLD: parts.features.stalls === 'offered' && !parts.stalls ? 1 : 0,
    eats: parts.ats ? EATS_FULL : EATS_ABORT,
    ppar: parts.pasidInResponses ? 1 : 0,
    shCfg: s1DSS === S1DSS_BYPASS ? INCOMING : 0,
  });
}

export function stage2Entry(parts: EntryParts, tables: Stage2Tables): Int32Array {
  return ste({ ...stage2Values(parts, tables), config: STE_CONFIG_S2 });
}

function stage2Values(parts: EntryParts, tables: Stage2Tables): FieldValues {
  return {
    v: 1,
    eats: parts.ats ? EATS_FULL : EATS_ABORT,
    ppar: parts.pasidInResponses ? 1 : 0,
    shCfg: INCOMING,
    s2VMID: tables.vmid,
    s2T0SZ: 16,
    s2SL0: 2,
    s2IR0: WBRA,
    s2OR0: WBRA,
    s2SH0: INNER_SHAREABLE,
    s2PS: 5,
    s2AA64: 1,
    s2PTW: 1,
    s2R: 1,
    s2S: parts.stalls ? 1 : 0,
    ...pointer('s2TTB', tables.tableAt),
    ...tables.fields,
  };
}

/** What a user may set of a nested entry: words w0 and w1 as four of 32 bits. */
export const NESTED_ALLOWED: readonly number[] = allowedWords();

function allowedWords(): readonly number[] {
  const entry = ste({
    v: 1,
    config: 7,
    s1Fmt: 3,
    s1ContextPtrLo: 0xffffffc0,
    s1ContextPtrHi: 0xfffff, // bit 51 is the highest that Linux takes
    s1CDMax: 31,
    s1DSS: 3,
    s1CIR: 3,
    s1COR: 3,
    s1CSH: 3,
    s1STALLD: 1,
    eats: 3,
  });
  return [...entry.subarray(0, 4)];
}

/** Checks a user's two words (four of 32 bits, low halves first). Without V nothing else of them counts.
 * @throws IommuError EIO for a bit that is not the user's, a Config other than abort, bypass and stage 1, or split-stage ATS. */
export function checkNestedEntry(user: ArrayLike<number>): void {
  const call = 'checkNestedEntry';
  const { v, config, eats } = nestedFields(user);
  if (v === 0) return; // whatever else it says
  for (let i = 0; i < NESTED_ALLOWED.length; i++)
    if ((user[i] & ~NESTED_ALLOWED[i]) !== 0)
      throw new IommuError('EIO', call, `word ${i >> 1}`, user[i] >>> 0, 'sets bits that are not the user’s');
  if (config !== STE_CONFIG_ABORT && config !== STE_CONFIG_BYPASS && config !== STE_CONFIG_S1)
    throw new IommuError('EIO', call, 'Config', config, 'must be abort, bypass or stage 1');
  if (eats !== EATS_ABORT && eats !== EATS_FULL) throw new IommuError('EIO', call, 'EATS', eats, 'must be off or full');
}

export function nestedFields(user: ArrayLike<number>): Record<string, number> {
  const entry = new Int32Array(STE_RECORD_WORDS);
  for (let i = 0; i < NESTED_ALLOWED.length; i++) entry[i] = user[i];
  return decodeSte(entry, 0);
}

/** The physical entry of a user's: abort without V, so that the guest can be told C_BAD_STE; stage 2 alone for its bypass; both stages, with
 * events merged against floods, for its stage 1. EATS follows the attachment, not the user.
 * @throws IommuError as {@link checkNestedEntry} */
export function nestedEntry(parts: EntryParts, tables: Stage2Tables, user: ArrayLike<number>): Int32Array {
  checkNestedEntry(user);
  const fields = nestedFields(user);
  if (fields.v === 0 || fields.config === STE_CONFIG_ABORT) return abortEntry();
  if (fields.config === STE_CONFIG_BYPASS) return stage2Entry(parts, tables);
  const stage1 = Object.fromEntries(Object.entries(fields).filter(([name]) => name.startsWith('s1')));
  return ste({ ...stage1, ...stage2Values(parts, tables), config: STE_CONFIG_NESTED, mev: 1 });
}

/** A context descriptor. */
export function contextEntry(parts: EntryParts, context: Stage1Context): Int32Array {
  const entry = new Int32Array(CD_WORDS);
  const tracks = context.dirtyTracking === true ? 1 : 0;
  encodeCd(entry, 0, {
    ...CONTEXT_DEFAULTS,
    s: parts.stalls ? 1 : 0,
    ha: tracks,
    hd: tracks,
    asid: context.asid,
    ...pointer('ttb0', context.tableAt),
    ...context.fields,
  });
  return entry;
}
