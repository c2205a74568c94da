// The behaviours that the self tests of the kernel's Arm tables establish, over both stages, all granules and their widths.
// @see Linux drivers/iommu/io-pgtable-arm.c (later drivers/iommu/io-pgtable-arm-selftests.c)
import { describe, expect, test } from 'vitest';
import { PROT_CACHE, PROT_NOEXEC, PROT_READ, PROT_WRITE } from './format.ts';
import { armLpae } from './formats/arm-lpae.ts';
import { allocPageTable, openPageTable } from './standalone.ts';

const PROT = PROT_READ | PROT_WRITE | PROT_NOEXEC | PROT_CACHE;
const WIDTHS = [32, 36, 40, 42, 44, 48];

describe.each([
  [1, 12],
  [1, 14],
  [1, 16],
  [2, 12],
  [2, 14],
  [2, 16],
] as const)('stage %i, granule 2^%i', (stage, granuleLg2) => {
  test.each(WIDTHS)('%i bits', (iasLg2) => {
    const format = armLpae({ stage, granuleLg2, iasLg2, oasLg2: iasLg2 });
    const { table } = openPageTable(allocPageTable(format), format);
    const granule = 2 ** (granuleLg2 - 12);
    const sizes = format.sizesLg2.map((lg2) => 2 ** (lg2 - 12));

    // Nothing is found in an empty table.
    for (const page of [10 * granule, 2 ** 18, 2 ** 19 - 1]) expect(table.iovaToPhys(page)).toBe(-1);

    // Each size once, at distinct addresses; not a second time.
    for (const pages of sizes) {
      table.map(pages, pages, pages, PROT);
      expect(() => table.map(pages, pages + granule, pages, PROT)).toThrow('EADDRINUSE');
      for (const page of [pages, pages + granule * Math.min(42, pages / granule - 1), 2 * pages - 1])
        expect(table.iovaToPhys(page)).toBe(page);
    }

    // A part of a large leaf is not unmapped, and the leaf stays.
    const second = sizes[1];
    expect(table.unmap(second + granule, granule)).toBe(0);
    expect(table.unmap(second, granule)).toBe(0);
    expect(table.iovaToPhys(second + granule)).toBe(second + granule);

    // Each size whole, and mapped anew.
    for (const pages of sizes) {
      expect(table.unmap(pages, pages)).toBe(pages);
      expect(table.iovaToPhys(pages + granule - 1)).toBe(-1);
      table.map(pages, 0, pages, PROT);
      expect(table.iovaToPhys(2 * pages - 1)).toBe(pages - 1);
      expect(table.unmap(pages, pages)).toBe(pages);
    }

    // The highest page, in the last slot of the root.
    const last = 2 ** (iasLg2 - 12) - granule;
    table.map(last, 0, granule, PROT);
    expect(table.iovaToPhys(last)).toBe(0);
    expect(table.unmap(last, granule)).toBe(granule);
    table.destroy();
  });
});
