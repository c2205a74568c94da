// Whether a device used a translation after the sync that covers its invalidation had returned: it never may. Two words a page, and two for
// all pages together, as a domain is replaced:
//
//   STARTED  invalidations of it that were begun, its PTE having changed
//   DONE     the latest of these, by number, whose sync has returned
//
// Ordering.
//   [I] PTE, then STARTED, the invalidation and its sync, then DONE   pairs with  [U] a use: DONE, then the translation in the cache
//   [T] the endpoint's thread: STARTED, then the walk                 pairs with  [I]: STARTED, then the invalidation
// That thread takes no invalidation between a walk's question and its answer. So whatever was begun after it had read STARTED finds the
// answer in its cache, or still under way, and takes it away before its sync is over: a cached translation that was asked for when STARTED
// stood below what DONE says now has outlived its invalidation.
import type { Arena } from '@faultline/core/memory';
import { LINE, type Words } from '@faultline/core/sync';
import type { DeviceMemory } from '@faultline/hw/accelerator';
import type { Notifier } from '@faultline/hw/mm';
import { packTranslation, type TranslationAgent } from '@faultline/hw/pcie';

export const LEDGER_REGION = 'translations';
const ALL_STARTED = 0;
const ALL_DONE: number = LINE;
const PAGES: number = 2 * LINE;
const STARTED = 0;
const DONE = 1;
const PAGE_WORDS = 2;

/** @param threads device threads: each counts the breaches that it sees on a line of its own. */
export function ledgerWords(pages: number, threads: number): number {
  return breachesAt(pages) + threads * LINE;
}

function breachesAt(pages: number): number {
  return PAGES + Math.ceil((pages * PAGE_WORDS) / LINE) * LINE;
}

export function initLedger(arena: Arena): void {
  const base = arena.base(LEDGER_REGION);
  arena.words.fill(0, base, base + arena.sizeWords(LEDGER_REGION));
}

/** Where a ledger is: plain data for workers. */
export interface LedgerPlace {
  readonly base: number;
  readonly firstPage: number;
  readonly pages: number;
}

/** Uses of translations that were gone. Context: all threads have left the cell. */
export function readBreaches(words: Words, { base, pages }: LedgerPlace, threads: number): number {
  let breaches = 0;
  for (let thread = 0; thread < threads; thread++) breaches += words[base + breachesAt(pages) + thread * LINE] >>> 0;
  return breaches;
}

function raise(words: Words, at: number, number: number): void {
  for (let seen = Atomics.load(words, at); ((number - seen) | 0) > 0; ) {
    const found = Atomics.compareExchange(words, at, seen, number); // [I]
    if (found === seen) return;
    seen = found;
  }
}

/** An invalidation of all that is cached. @returns what to call once its sync has returned. */
export function beginAll(words: Words, { base }: LedgerPlace): () => void {
  const number = (Atomics.add(words, base + ALL_STARTED, 1) + 1) | 0; // [I]
  return () => raise(words, base + ALL_DONE, number);
}

/** A notifier whose invalidations are written down. @param most pages of a range */
export class LedgerNotifier implements Notifier {
  readonly #words: Words;
  readonly #place: LedgerPlace;
  readonly #inner: Notifier;
  readonly #numbers: Int32Array;

  constructor(words: Words, place: LedgerPlace, inner: Notifier, most: number) {
    this.#words = words;
    this.#place = place;
    this.#inner = inner;
    this.#numbers = new Int32Array(most);
  }

  invalidateRange(pageLo: number, pageHi: number, pages: number): void {
    const words = this.#words;
    const { base, firstPage } = this.#place;
    const first = base + PAGES + (pageOf(pageLo, pageHi) - firstPage) * PAGE_WORDS;
    for (let i = 0; i < pages; i++) this.#numbers[i] = Atomics.add(words, first + i * PAGE_WORDS + STARTED, 1) + 1; // [I]
    this.#inner.invalidateRange(pageLo, pageHi, pages);
    for (let i = 0; i < pages; i++) raise(words, first + i * PAGE_WORDS + DONE, this.#numbers[i]);
  }
}

/** The memory that a device thread sees through an endpoint that keeps translations: every use of a cached one is checked. */
export class LedgerMemory implements DeviceMemory {
  readonly #words: Words;
  readonly #place: LedgerPlace;
  readonly #firstPage: number;
  readonly #breachAt: number;
  readonly #asked: Int32Array; // STARTED of the page, and of all, when its translation was last asked for
  readonly #cached: DeviceMemory;
  #isAsked = false; // the access under way asked

  /** @param area first page and number of pages that the thread uses. @param tables what is walked for the endpoint.
   * @param open makes what asks the agent, and remembers. */
  constructor(
    words: Words,
    place: LedgerPlace,
    thread: number,
    area: { readonly firstPage: number; readonly pages: number },
    tables: Pick<DeviceMemory, 'translate'>,
    open: (agent: TranslationAgent) => DeviceMemory,
  ) {
    this.#words = words;
    this.#place = place;
    this.#firstPage = area.firstPage;
    this.#breachAt = place.base + breachesAt(place.pages) + thread * LINE;
    this.#asked = new Int32Array(area.pages * 2);
    this.#cached = open({
      translate: (lo, hi, perm) => {
        this.#note(pageOf(lo, hi));
        return tables.translate(lo, hi, perm) ? packTranslation(perm, 0) : 0;
      },
    });
  }

  translate(pageLo: number, pageHi: number, perm: number): boolean {
    const words = this.#words;
    const { base, firstPage } = this.#place;
    const page = pageOf(pageLo, pageHi);
    const done = Atomics.load(words, base + PAGES + (page - firstPage) * PAGE_WORDS + DONE); // [U]
    const allDone = Atomics.load(words, base + ALL_DONE); // [U]
    this.#isAsked = false;
    const granted = this.#cached.translate(pageLo, pageHi, perm);
    if (!granted || this.#isAsked) return granted;
    const at = (page - this.#firstPage) * 2;
    const isStale = ((done - this.#asked[at]) | 0) > 0 || ((allDone - this.#asked[at + 1]) | 0) > 0;
    if (isStale) words[this.#breachAt]++;
    return true;
  }

  discard(startPage: number, pages: number): number {
    return this.#cached.discard(startPage, pages);
  }

  #note(page: number): void {
    const { base, firstPage } = this.#place;
    const at = (page - this.#firstPage) * 2;
    this.#isAsked = true;
    this.#asked[at] = Atomics.load(this.#words, base + PAGES + (page - firstPage) * PAGE_WORDS + STARTED); // [T]
    this.#asked[at + 1] = Atomics.load(this.#words, base + ALL_STARTED); // [T]
  }
}

function pageOf(lo: number, hi: number): number {
  return hi * 2 ** 32 + (lo >>> 0);
}
