import type { PairCase } from '../pair/case.ts';
import { keep } from '../pair/keep.ts';
import { type EntryWay, entryWays, fullTableSum, SLOTS } from './entry-ways.ts';

const tables = new Map<string, EntryWay>();

function must(found: number, expected: number, name: string): void {
  if (found !== expected) throw new Error(`${name}: ${found} was found, not ${expected}`);
}

/** What a way takes from the heap: one thread installs and clears, the other reads atomically, each a table of its own. */
function heapCase({ name }: EntryWay, at: number): PairCase {
  const table = (): EntryWay => keep(tables, name, () => entryWays()[at]);
  return {
    name: `page table entry, heap, ${name}`,
    kind: 'throughput',
    words: 0,
    sides: [
      ({ items }) => {
        const way = table();
        for (let done = 0; done < items; done += SLOTS) {
          way.clear();
          must(way.install(), SLOTS, name);
        }
        return 0;
      },
      ({ items }) => {
        const way = table();
        way.clear();
        way.install();
        for (let done = 0; done < items; done += SLOTS) must(way.read(), fullTableSum(), name);
        return items;
      },
    ],
    check: (items) => items,
  };
}

/** A case a way, for the count of what an entry takes from the heap. */
export const entryHeapCases: readonly PairCase[] = entryWays().map(heapCase);
