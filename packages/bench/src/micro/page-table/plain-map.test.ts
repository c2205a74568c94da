import {
  allocPageTable,
  DirtyBitmap,
  openPageTable,
  PROT_READ,
  PROT_WRITE,
  vtdSecondStage,
} from '@faultline/hw/page-table';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SELF, wordsFor } from '../costs/subject.ts';
import { LockedTable } from './locked-table.ts';
import { LOCK_WORDS, mutexOver, rwlockOver } from './locks.ts';
import { PlainMap } from './plain-map.ts';

const PAGES = 24;

const operation = fc.record({
  call: fc.constantFrom('map', 'unmap', 'write', 'sweep', 'read', 'walk'),
  page: fc.nat(PAGES - 1),
  pages: fc.integer({ min: 1, max: 8 }),
});

test.each([
  ['mutex', mutexOver],
  ['rwlock', rwlockOver],
])('the plain model and a table under a %s answer alike', (_, over) => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 60, maxLength: 120 }), (operations) => {
      const format = vtdSecondStage();
      const { table } = openPageTable(allocPageTable(format), format, SELF, { sizesLg2: [12] });
      const { words, base } = wordsFor(LOCK_WORDS);
      const locked = new LockedTable(table, over(words, base, SELF));
      const plain = new PlainMap();
      for (const { call, page, pages } of operations) {
        const [ours, theirs] = [new DirtyBitmap(page, pages), new DirtyBitmap(page, pages)];
        if (call === 'map') {
          let free = true;
          for (let at = page; at < page + pages; at++) free &&= plain.iovaToPhys(at) === -1;
          if (!free) {
            expect(() => locked.map(page, page + 7, pages, PROT_READ | PROT_WRITE)).toThrow('mapped');
            continue;
          }
          locked.map(page, page + 7, pages, PROT_READ | PROT_WRITE);
          plain.map(page, page + 7, pages);
        } else if (call === 'unmap') expect(locked.unmap(page, pages)).toBe(plain.unmap(page, pages));
        else if (call === 'write') {
          locked.write(page);
          plain.write(page);
        } else if (call === 'walk') expect(locked.iovaToPhys(page)).toBe(plain.iovaToPhys(page));
        else {
          const method = call === 'sweep' ? 'readAndClearDirty' : 'readDirty';
          expect(locked[method](page, pages, ours)).toBe(plain[method](page, pages, theirs));
          expect(ours.bits).toEqual(theirs.bits);
        }
        locked.sync();
      }
    }),
    { numRuns: 60 },
  );
});

test('a lock is free again after a call that throws', () => {
  const format = vtdSecondStage();
  const { table } = openPageTable(allocPageTable(format), format, SELF);
  const { words, base } = wordsFor(LOCK_WORDS);
  const locked = new LockedTable(table, mutexOver(words, base, SELF));
  for (let time = 0; time < 2; time++) expect(() => locked.map(0, 0, 0, PROT_READ)).toThrow('pages');
});
