// Random operations, each compared with a plain model, over all formats.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DirtyBitmap } from './dirty-bitmap.ts';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { PlainModel } from './plain-model.test-help.ts';
import { FORMATS, leavesOf, rigOf } from './rig.test-help.ts';

const OPERATIONS = ['map', 'map', 'map', 'unmap', 'unmap', 'write', 'sweep', 'read', 'cut', 'promote'] as const;

/** Formats whose second size is not too many pages to model. */
const MODELLED = Object.keys(FORMATS);

describe.each(MODELLED)('%s', (name) => {
  const shape = FORMATS[name]();
  const step = 2 ** (shape.granuleLg2 - 12);
  // Small enough that operations meet, with room for the second size at least.
  const sizes = shape.sizesLg2.map((lg2) => 2 ** (lg2 - 12)).filter((pages) => pages <= 8192);
  const span = 3 * Math.min(512 * step, 8192);
  const unit = fc.integer({ min: 0, max: span / step - 1 });
  const operation = fc.record({
    kind: fc.constantFrom(...OPERATIONS),
    at: unit,
    // Most ranges begin where a larger size does.
    align: fc.constantFrom(1, 1, ...sizes.map((size) => size / step)),
    length: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(...sizes.map((size) => size / step))),
    oaShift: fc.constantFrom(0, 0, 1, 16),
    writable: fc.boolean(),
  });

  test('does what the model does', () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 10, maxLength: 40 }), (operations) => {
        const rig = rigOf(name);
        const { table } = rig;
        const { format } = table.tree;
        const model = new PlainModel(format);
        const walker = table.walker();
        const bornDirty = format.dirty?.inverted === true || name.startsWith('arm s2');
        for (const { kind, at, align, length, oaShift, writable } of operations) {
          const page = (at - (at % align)) * step;
          const pages = Math.min(length * step, span - page);
          if (kind === 'map') {
            const prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
            const oaPage = 4 * span + page + oaShift * step;
            let mapped = true;
            try {
              table.map(page, oaPage, pages, prot);
            } catch (error) {
              expect((error as { code: string }).code).toBe('EADDRINUSE');
              mapped = false;
            }
            expect(mapped).toBe(model.map(page, oaPage, pages, prot, writable && bornDirty));
          } else if (kind === 'unmap') {
            expect(table.unmap(page, pages)).toBe(model.unmap(page, pages));
          } else if (kind === 'cut') {
            const size = model.cut(page);
            if (size >= 0) expect(table.cut(page)).toBe(size === 0 ? 0 : 12 + Math.log2(size));
          } else if (kind === 'promote') {
            const size = sizes[Math.min(1 + (length % 3), sizes.length - 1)];
            const aligned = page - (page % size);
            expect(table.promote(aligned, 12 + Math.log2(size))).toBe(model.promote(aligned, size));
          } else if (kind === 'write') {
            walker.idle(); // drops what it cached
            if (walker.access(page, true) >= 0) model.write(page);
          } else if (format.dirty !== undefined) {
            const bitmap = new DirtyBitmap(page, pages);
            if (kind === 'sweep') table.readAndClearDirty(page, pages, bitmap);
            else table.readDirty(page, pages, bitmap);
            const dirty = model.sweep(page, pages, kind === 'sweep');
            expect(bitmap.count()).toBe(dirty.length);
            for (const one of dirty) expect(bitmap.has(one)).toBe(true);
          }
          expect(table.iovaToPhys(page)).toBe(model.lookUp(page));
        }
        expect(leavesOf(table).map((leaf) => [leaf.page, leaf.pages, leaf.oaPage])).toEqual(
          model.leaves().map((leaf) => [leaf.page, leaf.pages, leaf.oaPage]),
        );
        for (const leaf of model.leaves()) expect(table.unmap(leaf.page, leaf.pages)).toBe(leaf.pages);
        rig.settle();
        expect(leavesOf(table)).toEqual([]);
        table.destroy();
        expect(rig.pool.live()).toBe(0);
      }),
      { numRuns: 25 },
    );
  });
});
