import { expect, test } from 'vitest';
import { type Fix, parseSource, sourceOf } from './fix.ts';

const plain: Fix = {
  commit: '9759ae2cee7c',
  title: 'iommu: Fix potential memory leak in iopf_queue_remove_device()',
  shipped: '6.9 to 6.13',
  fixed: '6.14',
};
const known: Fix = {
  commit: '738e6f32e61d',
  title: 'iommu/iommufd: Fix "IOPF group" (ownership) UAF',
  cve: 'CVE-2026-74520',
  shipped: '6.11 to 7.1',
  fixed: '7.2, 7.1.8 and 6.18.44',
};

test.each([plain, known])('a source reads back as the fix that it was made from', (fix) => {
  expect(parseSource(sourceOf(fix))).toEqual(fix);
});

test('a source names the commit, its subject and both releases', () => {
  expect(sourceOf(known)).toBe(
    'Linux 738e6f32e61d "iommu/iommufd: Fix "IOPF group" (ownership) UAF" (CVE-2026-74520): ' +
      'shipped in 6.11 to 7.1, fixed in 7.2, 7.1.8 and 6.18.44',
  );
});

test("another scenario's source is no fix", () => {
  expect(parseSource('core/src/sync/mutex.ts')).toBeUndefined();
});
