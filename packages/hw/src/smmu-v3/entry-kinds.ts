import { fieldMask, getField } from '../record/fields.ts';
import { CD_FIELDS } from './cd.ts';
import type { EntryKind } from './entry-writer.ts';
import { EATS_SPLIT, S1DSS_BYPASS, STE_CONFIG_BYPASS, STE_FIELDS } from './ste.ts';

// Which fields of a stream table entry and of a context descriptor the hardware looks at, by what they say (as Linux's driver counts).

function masksOf(fields: typeof STE_FIELDS): ReadonlyMap<string, readonly [number, number]> {
  return new Map(fields.map((f) => [f.name, [f.lo >> 5, fieldMask(f)]]));
}

const STE_MASKS = masksOf(STE_FIELDS);
const CD_MASKS = masksOf(CD_FIELDS);

function mark(used: Int32Array, masks: ReadonlyMap<string, readonly [number, number]>, names: readonly string[]): void {
  for (const name of names) {
    const [word, mask] = masks.get(name) as readonly [number, number];
    used[word] |= mask;
  }
}

function steField(entry: Int32Array, name: string): number {
  const f = STE_FIELDS.find((each) => each.name === name);
  return f === undefined ? 0 : getField(entry, 0, f);
}

const STAGE1 = [
  's1Fmt',
  's1ContextPtrLo',
  's1ContextPtrHi',
  's1CDMax',
  's1DSS',
  's1CIR',
  's1COR',
  's1CSH',
  's1STALLD',
  'strw',
];
const STAGE2 = [
  's2FWB',
  's2T0SZ',
  's2SL0',
  's2IR0',
  's2OR0',
  's2SH0',
  's2TG',
  's2PS',
  's2AA64',
  's2ENDI',
  's2AFFD',
  's2PTW',
  's2HD',
  's2HA',
  's2S',
  's2R',
  's2TTBLo',
  's2TTBHi',
];
const EITHER = ['eats', 'mev', 'ppar', 's2VMID'];

const EATS_LOW_BIT: number = 1 << 28;

export const STE_KIND: EntryKind = {
  validBit: 1,
  used(entry, used) {
    used.fill(0);
    mark(used, STE_MASKS, ['v']);
    if ((entry[0] & 1) === 0) return;
    mark(used, STE_MASKS, ['config']);
    const config = steField(entry, 'config');
    const stage1 = (config & 5) === 5;
    const stage2 = (config & 6) === 6;
    if (stage1) mark(used, STE_MASKS, STAGE1);
    if (stage2) mark(used, STE_MASKS, STAGE2);
    if (stage1 || stage2) mark(used, STE_MASKS, EITHER);
    if (config === STE_CONFIG_BYPASS || (stage1 && steField(entry, 's1DSS') === S1DSS_BYPASS))
      mark(used, STE_MASKS, ['shCfg']);
  },
  // Merging of events may come and go at any time. So may full ATS, unless one of the entries has split-stage ATS or stalls at stage 2:
  // with those, a mixture would be illegal.
  safe(from, to, safe) {
    safe.fill(0);
    mark(safe, STE_MASKS, ['mev']);
    const free = [from, to].every(
      (entry) => (steField(entry, 'eats') & EATS_SPLIT) === 0 && steField(entry, 's2S') === 0,
    );
    if (free) safe[2] |= EATS_LOW_BIT;
  },
};

const TABLE0 = ['t0sz', 'tg0', 'ir0', 'or0', 'sh0', 'ttb0Lo', 'ttb0Hi'];
const V_BIT: number = 1 << 31;
const EPD0_BIT: number = 1 << 14;

export const CD_KIND: EntryKind = {
  validBit: V_BIT,
  used(entry, used) {
    used.fill(0);
    used[0] = V_BIT;
    if ((entry[0] & V_BIT) === 0) return;
    used.fill(-1);
    if ((entry[0] & EPD0_BIT) === 0) return;
    const table = new Int32Array(used.length);
    mark(table, CD_MASKS, TABLE0);
    for (let i = 0; i < used.length; i++) used[i] &= ~table[i];
  },
  safe(_from, _to, safe) {
    safe.fill(0);
  },
};
