// An area's pages in domains. The first domain of an area pins what is not pinned yet and remembers where everything is (STORAGE); others
// copy from it. Context: the IOAS's domains lock, at least for reading, and the pages' lock.
import { PAGE_BYTES } from '../caller/index.ts';
import type { Machine } from '../machine/index.ts';
import { loadU64 } from '../memory/index.ts';
import { AREA_LAST, AREA_PROT, AREA_SIBLING, AREA_START, AREA_STORAGE, PAGES_AREAS } from './layout.ts';
import { areaBytes, areaPages, inFirstPage, pinnedAt, pinPage, unpinPage } from './pages.ts';

/** Maps an area into a domain. @param large pages that are physically contiguous are mapped in one piece; else one by one. @throws IommuError EFAULT, ENOMEM; nothing of it is mapped or pinned then that was not before. */
export function fillDomain(
  machine: Machine,
  call: string,
  areaAt: number,
  pagesAt: number,
  domain: number,
  large: boolean,
): void {
  const { words, pools } = machine;
  const isFirst = words[areaAt + AREA_STORAGE] === 0;
  const { first, last } = areaPages(words, areaAt);
  const fresh: number[] = []; // physical addresses
  const run = new Run(machine, areaAt, domain, first);
  try {
    for (let page = first; page <= last; page++) {
      let physical = pinnedAt(machine, pagesAt, page);
      if (physical < 0) {
        physical = pinPage(machine, call, pagesAt, page);
        fresh.push(physical);
      }
      run.add(page, physical);
      if (!large) run.end();
    }
    run.end();
  } catch (error) {
    run.undo();
    for (const physical of fresh) unpinPage(machine, pagesAt, physical);
    throw error;
  }
  if (!isFirst) return;
  words[areaAt + AREA_STORAGE] = domain;
  words[areaAt + AREA_SIBLING] = words[pagesAt + PAGES_AREAS];
  words[pagesAt + PAGES_AREAS] = pools.areas.indexOf(areaAt);
}

/** Unmaps an area from a domain. @param heir another domain that has the area, 0 for none: then what only the area had is unpinned. */
export function unfillDomain(machine: Machine, areaAt: number, pagesAt: number, domain: number, heir: number): void {
  const { words } = machine;
  const start = loadU64(words, areaAt + AREA_START);
  const bytes = loadU64(words, areaAt + AREA_LAST) - start + 1n;
  if (heir !== 0) {
    if (words[areaAt + AREA_STORAGE] === domain) words[areaAt + AREA_STORAGE] = heir;
    machine.driver.unmap(domain, start, bytes);
    machine.driver.syncUnmaps(domain);
    return;
  }
  const { first, last } = areaPages(words, areaAt);
  const physical: number[] = [];
  for (let page = first; page <= last; page++) physical.push(pinnedAt(machine, pagesAt, page));
  forgetStorage(machine, areaAt, pagesAt);
  machine.driver.unmap(domain, start, bytes);
  machine.driver.syncUnmaps(domain); // before the pages go: no device reaches them any more
  for (let page = first; page <= last; page++)
    if (pinnedAt(machine, pagesAt, page) < 0) unpinPage(machine, pagesAt, physical[page - first]);
}

function forgetStorage({ words, pools }: Machine, areaAt: number, pagesAt: number): void {
  const area = pools.areas.indexOf(areaAt);
  let link = pagesAt + PAGES_AREAS;
  while (words[link] !== area) link = pools.areas.at(words[link]) + AREA_SIBLING;
  words[link] = words[areaAt + AREA_SIBLING];
  words[areaAt + AREA_STORAGE] = 0;
}

/** Collects pages that are physically contiguous, and maps them in one piece. */
class Run {
  readonly #machine: Machine;
  readonly #domain: number;
  readonly #start: bigint;
  /** Where in its first page the area begins, and where, counted from that page's beginning, it ends. */
  readonly #from: number;
  readonly #end: number;
  readonly #first: number;
  readonly #prot: number;
  #mapped = 0;
  #physical = 0;
  #bytes = 0;

  /** @param first page of the area. */
  constructor(machine: Machine, areaAt: number, domain: number, first: number) {
    const { words } = machine;
    this.#machine = machine;
    this.#domain = domain;
    this.#start = loadU64(words, areaAt + AREA_START);
    this.#from = inFirstPage(words, areaAt);
    this.#end = this.#from + areaBytes(words, areaAt);
    this.#first = first;
    this.#prot = words[areaAt + AREA_PROT];
  }

  /** Adds the part of a page that the area has. */
  add(page: number, physical: number): void {
    const skipped = page === this.#first ? this.#from : 0;
    const end = Math.min(PAGE_BYTES, this.#end - (page - this.#first) * PAGE_BYTES);
    if (this.#bytes > 0 && physical + skipped !== this.#physical + this.#bytes) this.end();
    if (this.#bytes === 0) this.#physical = physical + skipped;
    this.#bytes += end - skipped;
  }

  end(): void {
    if (this.#bytes === 0) return;
    const iova = this.#mapped === 0 ? this.#start : this.#start + BigInt(this.#mapped);
    this.#machine.driver.map(this.#domain, iova, this.#physical, this.#bytes, this.#prot);
    this.#mapped += this.#bytes;
    this.#bytes = 0;
  }

  /** Unmaps what was mapped: nobody used it yet, but hardware may have looked. */
  undo(): void {
    if (this.#mapped === 0) return;
    this.#machine.driver.unmap(this.#domain, this.#start, BigInt(this.#mapped));
    this.#machine.driver.syncUnmaps(this.#domain);
  }
}
