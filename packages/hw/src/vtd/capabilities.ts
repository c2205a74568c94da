import { type Field, type FieldValues, field, setFields } from '../record/fields.ts';

// Capability registers CAP and ECAP: what a unit offers. Positions are those of Linux's iommu.h (cap_*(), ecap_*()); left out are fields that
// neither this model nor its driver has a use for.

/** CAP, then ECAP. */
export const CAPABILITY_WORDS = 4;

export const CAPABILITY_FIELDS: readonly Field[] = [
  field('nd', 2, 0), // 2^(4 + 2 nd) domain ids
  field('cm', 7), // entries that are not present are cached too
  field('sagaw', 12, 8), // second-level widths: bit 1 39, bit 2 48, bit 3 57 bits
  field('mgaw', 21, 16), // widest guest address, less 1
  field('sllps', 37, 34), // second-level large pages: bit 0 2 MiB, bit 1 1 GiB
  field('psi', 39), // page-selective invalidation
  field('nfr', 47, 40), // fault recording registers, less 1
  field('mamv', 53, 48), // largest page-selective invalidation, 2^mamv pages
  field('dwd', 54),
  field('drd', 55),
  field('fl1gp', 56),
  field('fl5lp', 60), // first-level tables of five levels
  ...extended('qi', 1), // queued invalidation
  ...extended('dt', 2), // device-TLBs
  ...extended('pt', 6), // pass-through
  ...extended('nest', 26),
  ...extended('prs', 29), // page requests
  ...extended('ers', 30), // execute requests
  ...extended('srs', 31), // supervisor requests
  ...extended('eafs', 34), // extended accessed flags
  ...extended('pss', 39, 35), // PASID bits, less 1
  ...extended('pasid', 40),
  ...extended('dit', 41),
  ...extended('pds', 42), // page request drain
  ...extended('smts', 43), // scalable mode
  ...extended('slads', 45), // second-level accessed and dirty bits
  ...extended('slts', 46), // second-level tables
  ...extended('flts', 47), // first-level tables
];

function extended(name: string, hi: number, lo: number = hi): readonly [Field] {
  return [field(name, 64 + hi, 64 + lo)];
}

/** What this model offers unless told otherwise. */
export const CAPABILITY_DEFAULTS: FieldValues = {
  ...{ nd: 6, sagaw: 4, mgaw: 47, sllps: 3, psi: 1, mamv: 18, dwd: 1, drd: 1, fl1gp: 1, fl5lp: 1 },
  ...{
    qi: 1,
    dt: 1,
    pt: 1,
    nest: 1,
    prs: 1,
    ers: 1,
    srs: 1,
    eafs: 1,
    pasid: 1,
    dit: 1,
    pds: 1,
    slads: 1,
    slts: 1,
    flts: 1,
  },
};

/** Writes both registers at `at`. @throws IommuError as setFields */
export function writeCapabilities(words: Int32Array, at: number, values: FieldValues): void {
  setFields(words, at, CAPABILITY_WORDS, CAPABILITY_FIELDS, values, 'writeCapabilities');
}
