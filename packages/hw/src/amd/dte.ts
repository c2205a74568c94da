import { address, type Field, type FieldValues, field, setFields } from '../record/fields.ts';
import { type RecordView, reservedBits, strictView, viewRecord } from '../record/view.ts';

// Device table entries, 32 bytes (AMD 48882, 2.2.2; Linux DTE_* and DEV_ENTRY_* of amd_iommu_types.h). Bits are counted from the entry's
// first. Left out: interrupt remapping (bits 191:128 but for the guest paging mode) beyond what a nested attach hands through.

export const DTE_WORDS = 8;

export const DTE_FIELDS: readonly Field[] = [
  field('v', 0),
  field('tv', 1),
  field('had', 8, 7),
  field('mode', 11, 9),
  ...address('root', 51, 12),
  field('ppr', 52),
  field('grpr', 53),
  field('giov', 54),
  field('gv', 55),
  field('glx', 57, 56),
  field('gcr3_14_12', 60, 58),
  field('ir', 61),
  field('iw', 62),
  field('domain', 79, 64),
  field('gcr3_30_15', 95, 80),
  field('iotlb', 96),
  field('se', 97),
  field('sa', 98),
  field('gcr3_51_31', 127, 107),
  field('guestMode', 183, 182),
];
const RESERVED = reservedBits(DTE_FIELDS, DTE_WORDS);

/** Bits of word 0 and word 1, for who looks at nothing else. */
export const DTE_V: number = 1 << 0;
export const DTE_HI_PPR: number = 1 << 20;
export const DTE_HI_GV: number = 1 << 23;

/** guestMode: five levels of the guest page table; 0 are four. */
export const GUEST_MODE_5_LEVEL = 1;
/** mode: levels of the host page table, 0 to 6. */
const MODE_RESERVED = 7;
/** glx: levels of the GCR3 table, less one. */
export const GLX_RESERVED = 3;

/** Writes an entry by the table. @throws IommuError ENOENT for an unknown field, EINVAL for a value that does not fit. */
export function encodeDte(words: Int32Array, at: number, values: FieldValues): void {
  setFields(words, at, DTE_WORDS, DTE_FIELDS, values, 'encodeDte');
}

/** Reads any entry, right or wrong. What is encoded in a way that is reserved is an error where V says that it counts. */
export function describeDte(words: Int32Array, at: number): RecordView {
  const view = viewRecord(words, at, 'DEVICE_TABLE_ENTRY', DTE_FIELDS, RESERVED);
  const { fields, errors } = view;
  if (fields.v === 1 && fields.tv === 1 && fields.mode === MODE_RESERVED)
    errors.push(`mode ${fields.mode} is reserved`);
  if (fields.v === 1 && fields.gv === 1 && fields.glx === GLX_RESERVED) errors.push(`glx ${fields.glx} is reserved`);
  if (fields.v === 1 && fields.gv === 1 && fields.guestMode > GUEST_MODE_5_LEVEL)
    errors.push(`guestMode ${fields.guestMode} is reserved`);
  return view;
}

/** Reads an entry by the table. @throws IommuError EINVAL with every bit that is set and not in the table */
export function decodeDte(words: Int32Array, at: number): Record<string, number> {
  return strictView('decodeDte', viewRecord(words, at, 'DEVICE_TABLE_ENTRY', DTE_FIELDS, RESERVED)).fields;
}

/** The three fields that hold a GCR3 table's address, given in 4 KiB pages (40 bits). */
export function gcr3Fields(page: number): FieldValues {
  return { gcr3_14_12: page % 8, gcr3_30_15: Math.floor(page / 8) % 65536, gcr3_51_31: Math.floor(page / 2 ** 19) };
}

/** Page number of the GCR3 table that the fields of {@link decodeDte} name. */
export function gcr3Page(dte: FieldValues): number {
  return dte.gcr3_14_12 + dte.gcr3_30_15 * 8 + dte.gcr3_51_31 * 2 ** 19;
}

// GCR3 table: a page of 512 entries of 64 bits by PASID[8:0] (one level, GLX 0), each the root of a guest page table.
export const GCR3_VALID = 1;
export const GCR3_ENTRIES = 512;
export const GCR3_TABLE_WORDS: number = GCR3_ENTRIES * 2;
