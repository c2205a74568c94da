// Three ways to reach a page table entry in shared memory. Each does the same work: an install puts a page's entry into an empty
// slot, a read says which page a slot maps, a clear empties it.
import { clearEntry, type Entries, installEntry, loadEntry, peekEntry, seenHi } from '@faultline/hw/page-table';
import type { Cost, Subject } from '../costs/subject.ts';

/** Slots of the table: all are installed, read and cleared in a run. */
export const SLOTS = 4096;
const PRESENT = 1;
/** Rights, in bits 63:32. */
const RIGHTS = 3 << 29;
/** Its entries need both halves: slot i maps page OA + i. */
const OA: number = 2 ** 21 - SLOTS / 2;

export interface EntryWay {
  readonly name: string;
  /** Reads all slots plainly, as walks do, or by atomic loads. @returns the sum of the pages mapped, wrapping. */
  peek(): number;
  read(): number;
  /** Fills all slots. @returns how many were empty. */
  install(): number;
  clear(): void;
}

export const ENTRY_OPERATIONS = ['peek', 'read', 'install', 'clear'] as const;
export type EntryOperation = (typeof ENTRY_OPERATIONS)[number];

export const SCRATCH = '64 bits at once, halves in a scratch (entry.ts)';

function pageOf(lo: number, hi: number): number {
  return (lo & PRESENT) === 0 ? 0 : ((hi & 0xfff) << 20) | (lo >>> 12);
}

/** Two shared words an entry, the low one published last. Two threads that install at once can leave halves of both. */
function twoHalves(): EntryWay {
  const words = new Int32Array(new SharedArrayBuffer(SLOTS * 8));
  return {
    name: 'two 32-bit halves, Atomics',
    peek() {
      let sum = 0;
      for (let at = 0; at < 2 * SLOTS; at += 2) sum = (sum + pageOf(words[at], words[at + 1])) | 0;
      return sum;
    },
    read() {
      let sum = 0;
      for (let at = 0; at < 2 * SLOTS; at += 2)
        sum = (sum + pageOf(Atomics.load(words, at), Atomics.load(words, at + 1))) | 0;
      return sum;
    },
    install() {
      let empty = 0;
      for (let slot = 0; slot < SLOTS; slot++) {
        const page = OA + slot;
        Atomics.store(words, 2 * slot + 1, (page >>> 20) | RIGHTS);
        if (Atomics.compareExchange(words, 2 * slot, 0, (page << 12) | PRESENT) === 0) empty++;
      }
      return empty;
    },
    clear() {
      for (let at = 0; at < 2 * SLOTS; at += 2) {
        Atomics.store(words, at, 0);
        Atomics.store(words, at + 1, 0);
      }
    },
  };
}

// Each step is cut to 64 bits, so that V8 computes with machine words as far as it can: without that it takes twice to five times
// as long.
function widePageOf(entry: bigint): number {
  return BigInt.asUintN(1, entry) === 0n ? 0 : Number(BigInt.asIntN(32, BigInt.asIntN(64, entry >> 12n)));
}

function wideEntry(page: number): bigint {
  const hi = BigInt.asIntN(64, BigInt((page >>> 20) | RIGHTS) << 32n);
  return BigInt.asIntN(64, hi | BigInt.asUintN(64, BigInt(((page << 12) | PRESENT) >>> 0)));
}

/** One shared word an entry, and BigInt all the way. */
function bigInts(): EntryWay {
  const entries = new BigInt64Array(new SharedArrayBuffer(SLOTS * 8));
  return {
    name: '64-bit Atomics, BigInt values',
    peek() {
      let sum = 0;
      for (let slot = 0; slot < SLOTS; slot++) sum = (sum + widePageOf(entries[slot])) | 0;
      return sum;
    },
    read() {
      let sum = 0;
      for (let slot = 0; slot < SLOTS; slot++) sum = (sum + widePageOf(Atomics.load(entries, slot))) | 0;
      return sum;
    },
    install() {
      let empty = 0;
      for (let slot = 0; slot < SLOTS; slot++) {
        if (Atomics.compareExchange(entries, slot, 0n, wideEntry(OA + slot)) === 0n) empty++;
      }
      return empty;
    },
    clear() {
      for (let slot = 0; slot < SLOTS; slot++) Atomics.store(entries, slot, 0n);
    },
  };
}

/** What the page tables do. */
function scratch(): EntryWay {
  const entries: Entries = new BigInt64Array(new SharedArrayBuffer(SLOTS * 8));
  return {
    name: SCRATCH,
    peek() {
      let sum = 0;
      for (let slot = 0; slot < SLOTS; slot++) sum = (sum + pageOf(peekEntry(entries, slot), seenHi())) | 0;
      return sum;
    },
    read() {
      let sum = 0;
      for (let slot = 0; slot < SLOTS; slot++) sum = (sum + pageOf(loadEntry(entries, slot), seenHi())) | 0;
      return sum;
    },
    install() {
      let empty = 0;
      for (let slot = 0; slot < SLOTS; slot++) {
        const page = OA + slot;
        if (installEntry(entries, slot, (page << 12) | PRESENT, (page >>> 20) | RIGHTS)) empty++;
      }
      return empty;
    },
    clear() {
      for (let slot = 0; slot < SLOTS; slot++) clearEntry(entries, slot);
    },
  };
}

/** Fresh tables, empty. The one that was chosen is the last. */
export function entryWays(): EntryWay[] {
  return [twoHalves(), bigInts(), scratch()];
}

/** What a read of a full table returns. */
export function fullTableSum(): number {
  let sum = 0;
  for (let slot = 0; slot < SLOTS; slot++) sum = (sum + OA + slot) | 0;
  return sum;
}

/** Where sums go, so that no read can be left out. */
const sums = new Int32Array(1);

function costsOf(way: EntryWay): Cost[] {
  const full = (): void => void way.install();
  return [
    {
      name: 'peek',
      operations: SLOTS,
      before: full,
      run() {
        sums[0] += way.peek();
      },
    },
    {
      name: 'read',
      operations: SLOTS,
      before: full,
      run() {
        sums[0] += way.read();
      },
    },
    { name: 'install', operations: SLOTS, before: () => way.clear(), run: full },
    { name: 'clear', operations: SLOTS, before: full, run: () => way.clear() },
  ];
}

/** A subject a way, so that none is compiled with what another taught. */
export const entrySubjects: readonly Subject[] = entryWays().map(({ name }, at) => ({
  name: `page table entry, ${name}`,
  costs: () => costsOf(entryWays()[at]),
}));
