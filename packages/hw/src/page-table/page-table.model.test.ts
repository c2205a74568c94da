// Random operations, each compared with a plain model, over all formats and all their sizes: a run takes one size for its unit, and
// works with leaves of that size and of larger ones.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Format } from './format.ts';
import { Geometry } from './geometry.ts';
import { type Area, KINDS, ModelledArea, SHIFTS, unitsOf } from './modelled-area.test-help.ts';
import { FORMATS, leavesOf, rigOf } from './rig.test-help.ts';

/** AMD's sizes are so many that a unit's larger ones are the next unit's too. */
const UNITS_APART = 5;

/** An area of some units: room for two leaves of the next sizes, and as far as addresses go. */
function areaOf(format: Format, unitLg2: number, upper: boolean): Area | undefined {
  const unit = 2 ** (unitLg2 - 12);
  const oaPages = 2 ** (format.oaLg2 - 12);
  const low = new Geometry(format).lowPages(format.maxTopLevel);
  const next = format.sizesLg2.find((lg2) => lg2 > unitLg2);
  const wanted = 3 * Math.max(512, next === undefined ? 0 : 2 ** (next - unitLg2));
  const units = Math.min(wanted, Math.floor(Math.min(low, oaPages) / unit));
  if (unitsOf(format.sizesLg2, { units, unitLg2 }).length < 2) return undefined;
  const high = upper && format.signExtended;
  const start = high ? 2 ** 52 - units * unit : 0;
  // Aligned as the addresses are, where there is room.
  const distance = units * unit * 8 < oaPages ? 2 ** Math.ceil(Math.log2(4 * units * unit)) : 0;
  return { start, units, unitLg2, distance: distance - start };
}

const WINDOWS = Object.keys(FORMATS).flatMap((name) => {
  const { sizesLg2 } = FORMATS[name]();
  const many = sizesLg2.length > 10;
  const step = !many ? 1 : name === 'amdv1 from level 2' ? UNITS_APART : 3 * UNITS_APART;
  return sizesLg2
    .filter((_, index) => index % step === 0)
    .filter((unitLg2) => areaOf(FORMATS[name](), unitLg2, false) !== undefined)
    .map((unitLg2) => [name, unitLg2] as const);
});

test('every size of every format is some window’s unit, or one of its larger sizes', () => {
  for (const name of ['amdv1 from level 2', 'vtd 57 bits', 'x86 57 bits', 'riscv sv57 dirty', 'arm s1 4k contiguous']) {
    const format = FORMATS[name]();
    const modelled = WINDOWS.filter(([of]) => of === name).flatMap(([, unitLg2]) => {
      const { units } = areaOf(format, unitLg2, false) as Area;
      return unitsOf(format.sizesLg2, { units, unitLg2 }).map((size) => unitLg2 + Math.log2(size));
    });
    expect([...new Set(modelled)].sort((a, b) => a - b)).toEqual(format.sizesLg2);
  }
});

describe.each(WINDOWS)('%s, in units of 2^%i bytes', (name, unitLg2) => {
  const shape = FORMATS[name]();
  const { units } = areaOf(shape, unitLg2, false) as Area;
  const sizes = unitsOf(shape.sizesLg2, { units, unitLg2 });
  const operation = fc.record({
    kind: fc.constantFrom(...KINDS),
    at: fc.integer({ min: 0, max: units - 1 }),
    // Most ranges begin where a larger size does.
    align: fc.constantFrom(1, 1, ...sizes),
    length: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(...sizes)),
    shift: fc.constantFrom(...SHIFTS),
    writable: fc.boolean(),
  });

  test('does what the model does', () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 20, maxLength: 40 }), fc.boolean(), (operations, upper) => {
        const rig = rigOf(name);
        const { table } = rig;
        const area = new ModelledArea(table, areaOf(table.tree.format, unitLg2, upper) as Area);
        for (const one of operations) area.apply(one);
        expect(leavesOf(table).map((leaf) => [leaf.page, leaf.pages, leaf.oaPage])).toEqual(
          area.model.leaves().map((leaf) => [leaf.page, leaf.pages, leaf.oaPage]),
        );
        area.unmapAll();
        rig.settle();
        expect(leavesOf(table)).toEqual([]);
        table.destroy();
        expect(rig.pool.live()).toBe(0);
      }),
      { numRuns: units > 2048 ? 3 : 6 },
    );
  });
});
