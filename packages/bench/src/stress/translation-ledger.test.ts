import { Arena, planArena } from '@faultline/core/memory';
import type { DeviceMemory } from '@faultline/hw/accelerator';
import type { TranslationAgent } from '@faultline/hw/pcie';
import { beforeEach, expect, test } from 'vitest';
import {
  beginAll,
  initLedger,
  LEDGER_REGION,
  LedgerMemory,
  LedgerNotifier,
  type LedgerPlace,
  ledgerWords,
  readBreaches,
} from './translation-ledger.ts';

const FIRST = 0x7f01_0000;
const PAGES = 40;
const THREAD = 1;

let arena: Arena;
let place: LedgerPlace;
let present: Set<number>;
let cache: Set<number>;
let memory: LedgerMemory;

/** Keeps what it was granted until somebody takes it away. */
class Keeping implements DeviceMemory {
  readonly #agent: TranslationAgent;
  constructor(agent: TranslationAgent) {
    this.#agent = agent;
  }
  translate(lo: number, hi: number, perm: number): boolean {
    if (cache.has(lo)) return true;
    const granted = this.#agent.translate(lo, hi, perm, 1) !== 0;
    if (granted) cache.add(lo);
    return granted;
  }
  discard(): number {
    return 0;
  }
}

const use = (page: number): boolean => memory.translate(page, 0, 1);
const breaches = (): number => readBreaches(arena.words, place, 2);
const notifier = (invalidateRange: () => void): LedgerNotifier =>
  new LedgerNotifier(arena.words, place, { invalidateRange }, PAGES);

beforeEach(() => {
  arena = Arena.create(planArena([{ name: LEDGER_REGION, words: ledgerWords(PAGES, 2) }]));
  initLedger(arena);
  place = { base: arena.base(LEDGER_REGION), firstPage: FIRST, pages: PAGES };
  present = new Set([FIRST + 20, FIRST + 39]);
  cache = new Set();
  const tables = { translate: (lo: number) => present.has(lo) };
  const area = { firstPage: FIRST + 20, pages: 20 };
  memory = new LedgerMemory(arena.words, place, THREAD, area, tables, (agent) => new Keeping(agent));
});

test('a translation may be used as often as one likes while nothing is invalidated', () => {
  for (let times = 0; times < 3; times++) expect([use(FIRST + 20), use(FIRST + 21)]).toEqual([true, false]);
  expect(breaches()).toBe(0);
});

test('a use after the sync returned is a breach, each one', () => {
  use(FIRST + 39);
  notifier(() => {}).invalidateRange(FIRST + 38, 0, 2); // forgets the device
  use(FIRST + 39);
  use(FIRST + 39);
  expect(breaches()).toBe(2);
});

test('of the page that was invalidated alone', () => {
  use(FIRST + 20);
  notifier(() => {}).invalidateRange(FIRST + 21, 0, 19);
  use(FIRST + 20);
  expect(breaches()).toBe(0);
});

test('until the sync returns it may be used', () => {
  use(FIRST + 20);
  notifier(() => {
    use(FIRST + 20);
    cache.clear();
  }).invalidateRange(FIRST + 20, 0, 1);
  use(FIRST + 20);
  expect(breaches()).toBe(0);
});

test('one that was asked for while the invalidation was under way is fresh', () => {
  use(FIRST + 20);
  notifier(() => {
    cache.clear();
    use(FIRST + 20);
  }).invalidateRange(FIRST + 20, 0, 1);
  use(FIRST + 20);
  expect(breaches()).toBe(0);
});

test('of two invalidations that overlap, each counts for what was asked before it', () => {
  use(FIRST + 20);
  notifier(() => {
    cache.clear();
    use(FIRST + 20); // after the first one has begun, before the second
    notifier(() => {}).invalidateRange(FIRST + 20, 0, 1);
    use(FIRST + 20);
  }).invalidateRange(FIRST + 20, 0, 1);
  expect(breaches()).toBe(1);
});

test('an invalidation of everything covers every page', () => {
  use(FIRST + 20);
  const end = beginAll(arena.words, place);
  use(FIRST + 20);
  expect(breaches()).toBe(0);
  end();
  use(FIRST + 20);
  expect(breaches()).toBe(1);
  cache.clear();
  use(FIRST + 20);
  use(FIRST + 20);
  expect(breaches()).toBe(1);
});
