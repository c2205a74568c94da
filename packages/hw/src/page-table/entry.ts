// One page table entry: 64 bits, little-endian, in shared memory. The only file that touches them.
//
// `pnpm bench` measures three ways to it; on one machine, ns an entry (Node 26):
//                                    plain read   atomic read   install in an empty slot   clear
//   64-bit Atomics, BigInt values         14            33                14                8.4
//   two 32-bit halves, Atomics           1.1            16                18                 17
//   this file                            1.3            11                14                8.7
// Here the shared access is one 64-bit one. What is read passes through a scratch of the thread's own, where the rest of the code
// finds it as two 32-bit halves: taking a BigInt apart is what costs. What is installed is put together as a BigInt, cut to 64 bits
// at each step, which V8 does in a register: two halves stored in the scratch and loaded as one wait for each other.
// V8 hands what a 64-bit atomic finds over as a BigInt on the heap, dead at once: the one allocation of these paths. A plain read, a
// walk and a clear make none.
//
// Two shared halves were not taken also because they are sound only under a range lock: of two threads that install into one slot,
// the loser's high half may end up with the winner's low half, and a reader can pair halves of two entries.
//
// Ordering. Three kinds of access:
//   load    Atomics.load: sees all that was stored before the entry was published. Descents of map and unmap use it.
//   change  compareExchange, clear, and, or: Atomics, seq-cst, on all 64 bits.
//             [P] publish: table zeroed (plain), then its entry     pairs with  [C] load or peek: entry, then the table's entries
//   peek    a plain read, for walks and scans. What it finds is either compare-exchanged, so that a stale value changes nothing, or
//           returned as what was there a moment ago. ECMA-262 lets a plain 64-bit read tear and gives it no order; V8 makes it one
//           move on 64-bit machines, and the address of the next read depends on it, which orders [C] on x86-64 and Arm alike.
// Declare table memory racy where the schedule checker explores walks: a peek is a step there.
export type Entries = BigInt64Array<SharedArrayBuffer>;

const wide = new BigInt64Array(3); // seen, expected, wanted
const half = new Int32Array(wide.buffer);
const HI = 1;
const EXPECTED_LO = 2;
const EXPECTED_HI = 3;
const WANTED_LO = 4;
const WANTED_HI = 5;

/** High half of the entry that this thread read or found last. */
export function seenHi(): number {
  return half[HI];
}

/** Low half of the entry that this thread read or found last. */
export function seenLo(): number {
  return half[0];
}

/** Reads an entry plainly. @returns its low half; the high one is {@link seenHi}. */
export function peekEntry(entries: Entries, at: number): number {
  wide[0] = entries[at]; // [C]
  return half[0];
}

/** Reads an entry. @returns its low half; the high one is {@link seenHi}. */
export function loadEntry(entries: Entries, at: number): number {
  wide[0] = Atomics.load(entries, at); // [C]
  return half[0];
}

/** Stores an entry whatever is there: for tables that nobody else can see yet, and for designs that are wrong on purpose. */
export function storeEntry(entries: Entries, at: number, lo: number, hi: number): void {
  half[WANTED_LO] = lo;
  half[WANTED_HI] = hi;
  Atomics.store(entries, at, wide[2]);
}

/** Fills an entry of a table that nobody else can see yet. */
export function fillEntry(entries: Entries, at: number, lo: number, hi: number): void {
  half[WANTED_LO] = lo;
  half[WANTED_HI] = hi;
  entries[at] = wide[2];
}

/** Both halves as one value, in 64-bit steps all the way. */
function joined(lo: number, hi: number): bigint {
  return BigInt.asIntN(64, BigInt.asIntN(64, BigInt(hi | 0) << 32n) | BigInt.asUintN(64, BigInt(lo >>> 0)));
}

/** Puts an entry where none is. @returns false when the slot is taken: {@link seenLo} and {@link seenHi} say by what. */
export function installEntry(entries: Entries, at: number, lo: number, hi: number): boolean {
  const found = Atomics.compareExchange(entries, at, 0n, joined(lo, hi)); // [P]
  if (found === 0n) return true;
  wide[0] = found;
  return false;
}

/** Replaces an entry if it still is what the caller saw. @returns false when not: {@link seenLo} and {@link seenHi} are the new one. */
export function compareExchangeEntry(
  entries: Entries,
  at: number,
  expectedLo: number,
  expectedHi: number,
  lo: number,
  hi: number,
): boolean {
  half[EXPECTED_LO] = expectedLo;
  half[EXPECTED_HI] = expectedHi;
  half[WANTED_LO] = lo;
  half[WANTED_HI] = hi;
  wide[0] = Atomics.compareExchange(entries, at, wide[1], wide[2]); // [P]
  return half[0] === expectedLo && half[HI] === expectedHi;
}

/** Makes a slot empty, whatever is there. */
export function clearEntry(entries: Entries, at: number): void {
  Atomics.store(entries, at, 0n);
}

/** Makes a slot empty. @returns the low half of what was there; the high one is {@link seenHi}. */
export function takeEntry(entries: Entries, at: number): number {
  wide[0] = Atomics.exchange(entries, at, 0n);
  return half[0];
}

/** Clears bits of the low half in whatever entry is there. @returns the low half before; the high one is {@link seenHi}. */
export function clearBitsOfEntry(entries: Entries, at: number, bits: number): number {
  half[WANTED_LO] = ~bits;
  half[WANTED_HI] = -1;
  wide[0] = Atomics.and(entries, at, wide[2]);
  return half[0];
}

/** Sets bits of the low half in whatever entry is there. @returns the low half before; the high one is {@link seenHi}. */
export function setBitsOfEntry(entries: Entries, at: number, bits: number): number {
  half[WANTED_LO] = bits;
  half[WANTED_HI] = 0;
  wide[0] = Atomics.or(entries, at, wide[2]);
  return half[0];
}

/** Empties `count` slots of a table that nobody else can see yet. */
export function zeroEntries(entries: Entries, at: number, count: number): void {
  entries.fill(0n, at, at + count);
}

/** What a freed table holds in checked runs: no format takes it for a table of this machine. */
const POISON = 0x6b6b_6b6b_6b6b_6b6bn;

/** Spoils a table that is being freed. */
export function poisonEntries(entries: Entries, at: number, count: number): void {
  entries.fill(POISON, at, at + count);
}

/** @returns the first slot of a freed table that was written to since, or -1. */
export function firstUnspoilt(entries: Entries, at: number, count: number): number {
  for (let slot = 0; slot < count; slot++) if (entries[at + slot] !== POISON) return slot;
  return -1;
}
