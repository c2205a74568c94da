import { allocPageTable, amdV1, type Format, openPageTable, pageTableCosts } from '@faultline/hw/page-table';
import { SELF, type Subject, wordsFor } from '../costs/subject.ts';
import { FORMATS } from './formats.ts';
import { LockedTable } from './locked-table.ts';
import { LOCK_WORDS, mutexOver, rwlockOver } from './locks.ts';
import { PlainMap } from './plain-map.ts';

/** How a table is kept from being changed by two at once. */
export const GUARDS = ['lock-free', 'mutex', 'rwlock'] as const;
export type Guard = (typeof GUARDS)[number];

export const PLAIN_MODEL = 'page table, Map of pages';

export function tableSubjectName(format: string, guard: Guard): string {
  return `page table, ${format}, ${guard}`;
}

function lockedTable(format: Format, over: typeof mutexOver): LockedTable {
  const smallest = { sizesLg2: format.sizesLg2.slice(0, 1) };
  const { table } = openPageTable(allocPageTable(format), format, SELF, smallest);
  const { words, base } = wordsFor(LOCK_WORDS);
  return new LockedTable(table, over(words, base, SELF));
}

function subject(format: Format, guard: Guard): Subject {
  return {
    name: tableSubjectName(format.name, guard),
    costs() {
      if (guard === 'lock-free') return pageTableCosts(format);
      return pageTableCosts(format, lockedTable(format, guard === 'mutex' ? mutexOver : rwlockOver));
    },
  };
}

/** 2 MiB in 4 KiB pages, mapped, unmapped, walked and swept on one thread: each format bare and under locks, and the plain model. */
export const tableSubjects: readonly Subject[] = [
  ...FORMATS.flatMap((format) => GUARDS.map((guard) => subject(format, guard))),
  { name: PLAIN_MODEL, costs: () => pageTableCosts(amdV1(), new PlainMap()) },
];
