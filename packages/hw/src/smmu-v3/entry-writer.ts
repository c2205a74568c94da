import type { Words } from '@faultline/core/sync';

// Changing a stream table entry or a context descriptor that the hardware may read meanwhile. It reads 64 bits at a time, so the only change
// that takes effect at once is that of one 64-bit word. What must never be read is a mixture that is neither the old entry nor the new one.
//
//   hitless    at most one 64-bit word differs in bits that both entries use: first everything that the old entry does not look at, then that
//              word, then what the new entry does not look at. The device notices one change, or none.
//   breaking   more words differ: V = 0, then the words behind the first, then the first. In between the device's accesses fail.
//
// After each step that changed something the hardware is told to read anew, and has done so, before the next: `sync`.
// In this memory a 64-bit word is two of 32 bits: the half with V goes last on the way in and first on the way out.

/** 64-bit words of an entry. */
const QWORDS = 8;
const WORDS = 2 * QWORDS;

/** Which bits of an entry the hardware looks at, given what it says. */
export type UsedBits = (entry: Int32Array, used: Int32Array) => void;

export interface EntryKind {
  /** Bits that the hardware looks at, given the entry. Fills all 16 words. */
  readonly used: UsedBits;
  /** Bits that may change at any time, in any order, given both entries. Fills all 16 words. */
  readonly safe: (from: Int32Array, to: Int32Array, safe: Int32Array) => void;
  /** Bit of the first word that makes the entry valid. */
  readonly validBit: number;
}

/** How an entry was changed. */
export type EntryUpdate = 'unchanged' | 'hitless' | 'breaking';

/** Changes the entry at `at` to `target`. `sync` has the hardware read it anew: CMD_CFGI_STE or CMD_CFGI_CD, then CMD_SYNC.
 * One thread at a time for each entry. @throws what `sync` throws: the entry is then as that step left it. */
export async function writeEntry(
  words: Words,
  at: number,
  target: Int32Array,
  kind: EntryKind,
  sync: () => Promise<void>,
): Promise<EntryUpdate> {
  const steps = entrySteps(words, at, target, kind);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await sync();
  }
}

/** {@link writeEntry} on a thread that may block, which `sync` then does. */
export function writeEntryBlocking(
  words: Words,
  at: number,
  target: Int32Array,
  kind: EntryKind,
  sync: () => void,
): EntryUpdate {
  const steps = entrySteps(words, at, target, kind);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    sync();
  }
}

/** The steps of a change: at each yield the hardware is to read the entry anew before the next. */
function* entrySteps(words: Words, at: number, target: Int32Array, kind: EntryKind): Generator<void, EntryUpdate> {
  const set = (value: Int32Array, first: number, end: number): boolean =>
    storeQwords(words, at, value, first, end, kind.validBit);
  const plan = planUpdate(words.slice(at, at + WORDS) as Int32Array, target, kind);
  if (plan.critical.length > 1) {
    const broken = plan.unused.slice();
    broken[0] &= ~kind.validBit;
    if (set(broken, 0, 1)) yield;
    if (set(target, 1, QWORDS)) yield;
    if (set(target, 0, 1)) yield;
    return 'breaking';
  }
  let changed = false;
  if (plan.critical.length === 1) {
    const [critical] = plan.critical;
    if (set(plan.unused, 0, QWORDS)) yield;
    set(target, critical, critical + 1);
    yield;
    changed = true;
  }
  if (set(target, 0, QWORDS)) {
    yield;
    changed = true;
  }
  return changed ? 'hitless' : 'unchanged';
}

/** @returns the entry after the first step (bits of `target` wherever `from` is not looked at), and the 64-bit words that still differ in
 * bits that `target` uses. */
export function planUpdate(
  from: Int32Array,
  target: Int32Array,
  kind: EntryKind,
): { readonly unused: Int32Array; readonly critical: number[] } {
  const used = new Int32Array(WORDS);
  const targetUsed = new Int32Array(WORDS);
  const safe = new Int32Array(WORDS);
  kind.used(from, used);
  kind.used(target, targetUsed);
  kind.safe(from, target, safe);
  const unused = new Int32Array(WORDS);
  const critical = new Set<number>();
  for (let i = 0; i < WORDS; i++) {
    const bound = used[i] & ~safe[i];
    unused[i] = (from[i] & bound) | (target[i] & ~bound);
    if (((unused[i] ^ target[i]) & targetUsed[i]) !== 0) critical.add(i >> 1);
  }
  return { unused, critical: [...critical] };
}

/** @returns whether anything changed. */
function storeQwords(
  words: Words,
  at: number,
  value: Int32Array,
  first: number,
  end: number,
  validBit: number,
): boolean {
  let changed = false;
  for (let qword = first; qword < end; qword++) {
    const low = 2 * qword;
    if (Atomics.load(words, at + low) === value[low] && Atomics.load(words, at + low + 1) === value[low + 1]) continue;
    const leaves = qword === 0 && (value[0] & validBit) === 0;
    if (leaves) Atomics.store(words, at + low, value[low]);
    Atomics.store(words, at + low + 1, value[low + 1]);
    Atomics.store(words, at + low, value[low]);
    changed = true;
  }
  return changed;
}
