import { address, type Field, type FieldValues, field, getFields, setFields } from '../record/fields.ts';
import { addressBits, STALL_AND_TERMINATE, STALL_FORCED, TERMINATE_ONLY } from './id-registers.ts';

// Stream table entries, 64 bytes (IHI 0070, 5.2), and which of them are illegal (5.2.2, SteIllegal).
// Left out: secure and realm state, MPAM, permission indirection and overlays, DPT, VMSAv8-32 and VMSAv9-128 tables, and the
// attribute overrides of word 1 but SHCFG.

export const STE_RECORD_WORDS = 16;

/** Config: bit 2 lets accesses through, bit 1 is stage 2, bit 0 is stage 1. */
export const STE_CONFIG_ABORT = 0;
export const STE_CONFIG_BYPASS = 4;
export const STE_CONFIG_S1 = 5;
export const STE_CONFIG_S2 = 6;
export const STE_CONFIG_NESTED = 7;

/** S1Fmt. */
export const S1FMT_LINEAR = 0;
export const S1FMT_4K_L2 = 1;
export const S1FMT_64K_L2 = 2;

/** S1DSS: accesses without a SubstreamID where there are substreams. */
export const S1DSS_TERMINATE = 0;
export const S1DSS_BYPASS = 1;
export const S1DSS_SSID0 = 2;

/** EATS. */
export const EATS_ABORT = 0;
export const EATS_FULL = 1;
export const EATS_SPLIT = 2;

export const STE_FIELDS: readonly Field[] = [
  field('v', 0),
  field('config', 3, 1),
  field('s1Fmt', 5, 4),
  ...address('s1ContextPtr', 55, 6),
  field('s1CDMax', 63, 59),
  field('s1DSS', 65, 64),
  field('s1CIR', 67, 66),
  field('s1COR', 69, 68),
  field('s1CSH', 71, 70),
  field('ppar', 82),
  field('mev', 83),
  field('s2FWB', 89),
  field('s1STALLD', 91),
  field('eats', 93, 92),
  field('strw', 95, 94),
  field('shCfg', 109, 108),
  field('s2VMID', 143, 128),
  field('s2T0SZ', 165, 160),
  field('s2SL0', 167, 166),
  field('s2IR0', 169, 168),
  field('s2OR0', 171, 170),
  field('s2SH0', 173, 172),
  field('s2TG', 175, 174),
  field('s2PS', 178, 176),
  field('s2AA64', 179),
  field('s2ENDI', 180),
  field('s2AFFD', 181),
  field('s2PTW', 182),
  field('s2HD', 183),
  field('s2HA', 184),
  field('s2S', 185),
  field('s2R', 186),
  ...address('s2TTB', 247, 196),
];

/** Writes an entry; fields not named are zero. The hardware must not be reading it: see entry-writer.ts for one in use.
 * @throws IommuError ENOENT for an unknown field, EINVAL for a value that does not fit. */
export function encodeSte(words: Int32Array, at: number, values: FieldValues): void {
  setFields(words, at, STE_RECORD_WORDS, STE_FIELDS, values, 'encodeSte');
}

export function decodeSte(words: Int32Array, at: number): Record<string, number> {
  return getFields(words, at, STE_FIELDS);
}

/** @returns the field that makes an entry illegal, so that its use is C_BAD_STE, or '' for a legal one. `v` when V is 0.
 * @param idrs what the SMMU offers ({@link readIdrs}). */
export function steIllegal(ste: FieldValues, idrs: FieldValues): string {
  if (ste.v === 0) return 'v';
  if ((ste.config & 4) === 0) return '';
  const stage1 = (ste.config & 1) !== 0;
  const stage2 = (ste.config & 2) !== 0;
  if (stage1 && idrs.s1p === 0) return 'config';
  if (stage2 && idrs.s2p === 0) return 'config';
  return illegalAts(ste, idrs) || (stage1 ? illegalStage1(ste, idrs) : '') || (stage2 ? illegalStage2(ste, idrs) : '');
}

function illegalAts(ste: FieldValues, idrs: FieldValues): string {
  if (idrs.ats === 1 && ste.config !== STE_CONFIG_BYPASS) {
    const split = ste.eats === EATS_SPLIT;
    if (split && (ste.config !== STE_CONFIG_NESTED || ste.s2S === 1 || idrs.ns1ats === 1)) return 'eats';
    if (ste.eats === EATS_FULL && ste.s2S === 1 && (ste.config & 2) !== 0) return 'eats';
  }
  // STRW is used only by stage 1 alone, where there is an EL2; 1 and 3 are reserved.
  if (ste.config === STE_CONFIG_S1 && idrs.hyp === 1 && (ste.strw & 1) !== 0) return 'strw';
  return '';
}

function illegalStage1(ste: FieldValues, idrs: FieldValues): string {
  if (ste.s1STALLD === 1 && idrs.stallModel !== STALL_AND_TERMINATE) return 's1STALLD';
  if (ste.s1CDMax > idrs.ssidSize) return 's1CDMax';
  const twoLevel = ste.s1Fmt === S1FMT_4K_L2 || ste.s1Fmt === S1FMT_64K_L2;
  if (ste.s1CDMax > 0 && idrs.cd2l === 0 && twoLevel) return 's1Fmt';
  if (outOfRange(ste.s1ContextPtrHi, addressBits(idrs.oas))) return 's1ContextPtr';
  return '';
}

function illegalStage2(ste: FieldValues, idrs: FieldValues): string {
  if (ste.s2S === 1 && idrs.stallModel === TERMINATE_ONLY) return 's2S';
  if (ste.s2S === 0 && idrs.stallModel === STALL_FORCED) return 's2S';
  if (ste.s2AA64 === 0 || (idrs.ttf & 2) === 0) return 's2AA64';
  if ((ste.s2HA === 1 || ste.s2HD === 1) && idrs.httu === 0) return ste.s2HA === 1 ? 's2HA' : 's2HD';
  if (ste.s2HD === 1 && idrs.httu === 1) return 's2HD';
  if (!granuleOffered(ste.s2TG, idrs)) return 's2TG';
  const range = Math.min(addressBits(ste.s2PS), addressBits(idrs.oas), ste.s2TG === 1 ? 52 : 48);
  if (outOfRange(ste.s2TTBHi, range)) return 's2TTB';
  const shortest = idrs.vax === 1 && ste.s2TG === 1 ? 12 : 16;
  if (ste.s2T0SZ < shortest || ste.s2T0SZ > 39) return 's2T0SZ';
  if (!startLevelFits(ste.s2T0SZ, ste.s2SL0, ste.s2TG)) return 's2SL0';
  if (illegalEndian(ste.s2ENDI, idrs)) return 's2ENDI';
  if (idrs.vmid16 === 0 && ste.s2VMID > 0xff) return 's2VMID';
  return '';
}

/** TG0 and S2TG: 0 is 4 KiB, 1 is 64 KiB, 2 is 16 KiB. */
export function granuleOffered(tg: number, idrs: FieldValues): boolean {
  return (tg === 0 && idrs.gran4k === 1) || (tg === 1 && idrs.gran64k === 1) || (tg === 2 && idrs.gran16k === 1);
}

export function illegalEndian(endi: number, idrs: FieldValues): boolean {
  return (idrs.ttendian === 2 && endi === 1) || (idrs.ttendian === 3 && endi === 0);
}

/** Whether an address, by its high word, does not fit so many bits (32 to 52). */
export function outOfRange(high: number, bits: number): boolean {
  return high >= 2 ** (bits - 32);
}

/** Whether the walk's first level suits the input size: between one entry and sixteen tables side by side. */
function startLevelFits(t0sz: number, sl0: number, tg: number): boolean {
  if (sl0 === 3) return false;
  const granule = [12, 16, 14][tg] ?? 12;
  const stride = granule - 3;
  const level = tg === 0 ? 2 - sl0 : 3 - sl0;
  const resolved = 64 - t0sz - ((3 - level) * stride + granule);
  return resolved >= 1 && resolved <= stride + 4;
}
