// What a domain of the mock maps: from calls in bytes to pages of the map that all domains share.
import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import type { Words } from '@faultline/core/sync';
import type { DirtySink } from '../../driver/index.ts';
import { lowHalf, toNumber } from '../../memory/index.ts';
import { IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE } from '../../uapi/index.ts';
import { MOCK_BATCH_ENTRY_BYTES, MOCK_HUGE_BYTES, MOCK_PAGE_BYTES } from './constants.ts';
import { MOCK_STATE_LIMIT } from './layout.ts';
import { MAPPED_DIRTY, MAPPED_HUGE, MAPPED_READ, MAPPED_REVOKED, MAPPED_WRITE, type PageMap } from './page-map.ts';
import { MOCK_REVOKED_REGION, MOCK_STATE_REGION } from './region.ts';

const LEAF = MOCK_HUGE_BYTES / MOCK_PAGE_BYTES;
/** The mock's pages in a frame of RAM, log2. */
const FRAME_LG2 = 1;

const pageOf = (iova: bigint): number => Math.floor(toNumber(iova) / MOCK_PAGE_BYTES);
const inPage = (iova: bigint): number => lowHalf(iova) & (MOCK_PAGE_BYTES - 1);

/** Pages behind one another, in memory too. */
interface Run {
  readonly domain: number;
  readonly first: number;
  readonly memory: number;
  readonly count: number;
  readonly flags: number;
  readonly huge: boolean;
}

/** One thread's way to the pages of all domains. */
export class DomainPages {
  readonly #words: Words;
  readonly #map: PageMap;
  readonly #state: number;
  readonly #revoked: number;

  constructor(arena: Arena, map: PageMap) {
    this.#words = arena.words;
    this.#map = map;
    this.#state = arena.base(MOCK_STATE_REGION);
    this.#revoked = arena.base(MOCK_REVOKED_REGION);
  }

  /** Bytes of the temporary memory of a call: with less of it, fewer pages are mapped before others have a turn. */
  get limit(): number {
    return this.#map.locked(() => this.#words[this.#state + MOCK_STATE_LIMIT]);
  }
  set limit(bytes: number) {
    this.#map.locked(() => {
      this.#words[this.#state + MOCK_STATE_LIMIT] = bytes;
    });
  }

  /** @throws IommuError ENOMEM with nothing of this call left mapped, EINVAL a page is mapped. */
  map(domain: number, iova: bigint, physical: number, bytes: number, prot: number, huge: boolean): void {
    const first = pageOf(iova);
    const memory = physical / MOCK_PAGE_BYTES;
    const count = bytes / MOCK_PAGE_BYTES;
    const flags =
      ((prot & IOAS_MAP_READABLE) !== 0 ? MAPPED_READ : 0) | ((prot & IOAS_MAP_WRITEABLE) !== 0 ? MAPPED_WRITE : 0);
    const run = { domain, first, memory, count, flags, huge };
    for (let done = 0; done < count; ) done = this.#addBatch(run, done);
  }

  /** Adds as many pages of a run as fit into the temporary memory. @returns how many are added. @throws IommuError: none is then. */
  #addBatch({ domain, first, memory, count, flags, huge }: Run, from: number): number {
    const words = this.#words;
    let done = from;
    this.#map.lock();
    try {
      const batch = Math.max(1, Math.floor(words[this.#state + MOCK_STATE_LIMIT] / MOCK_BATCH_ENTRY_BYTES));
      for (const end = Math.min(count, from + batch); done < end; done++) {
        const leaf = huge && isLeaf(first + done, first, memory, count) ? MAPPED_HUGE : 0;
        const revoked = words[this.#revoked + ((memory + done) >>> FRAME_LG2)] === 1 ? MAPPED_REVOKED : 0;
        this.#map.add(domain, first + done, memory + done, flags | leaf | revoked);
      }
      return done;
    } catch (error) {
      for (let back = 0; back < done; back++) this.#map.remove(domain, first + back);
      throw error;
    } finally {
      this.#map.unlock();
    }
  }

  unmap(domain: number, iova: bigint, bytes: bigint): void {
    const first = pageOf(iova);
    const count = toNumber(bytes) / MOCK_PAGE_BYTES;
    this.#map.lock();
    try {
      for (let i = 0; i < count; i++)
        if (!this.#map.remove(domain, first + i))
          throw new IommuError('EINVAL', 'MockDriver.unmap', 'iova', iova, `page ${i} from here is not mapped`);
    } finally {
      this.#map.unlock();
    }
  }

  /** Where an IOVA's memory is, whether devices reach it or not; -1: nothing is mapped. */
  physical(domain: number, iova: bigint): number {
    const memory = this.#map.locked(() => this.#map.memoryOf(domain, pageOf(iova)));
    return memory < 0 ? -1 : memory * MOCK_PAGE_BYTES + inPage(iova);
  }

  /** Where a device's access goes, -1: it faults. A write makes the page dirty where `tracking`. */
  translate(domain: number, iova: bigint, write: boolean, tracking: boolean): number {
    return this.#map.locked(() => this.#translateLocked(domain, iova, write, tracking));
  }

  /** As {@link translate}, and makes the access: the page is mapped until it is done, and dirty before anybody can look. @returns whether it did
   * not fault. */
  reach(domain: number, iova: bigint, write: boolean, tracking: boolean, access: (physical: number) => void): boolean {
    return this.#map.locked(() => {
      const physical = this.#translateLocked(domain, iova, write, tracking);
      if (physical >= 0) access(physical);
      return physical >= 0;
    });
  }

  /** Context: locked. */
  #translateLocked(domain: number, iova: bigint, write: boolean, tracking: boolean): number {
    const page = pageOf(iova);
    const at = this.#map.flagsAt(domain, page);
    const wanted = write ? MAPPED_WRITE : MAPPED_READ;
    if (at === 0 || (this.#words[at] & (wanted | MAPPED_REVOKED)) !== wanted) return -1;
    if (write && tracking) this.#words[this.#headAt(domain, page, at)] |= MAPPED_DIRTY;
    return this.#map.memoryOf(domain, page) * MOCK_PAGE_BYTES + inPage(iova);
  }

  /** Makes a page dirty, as a device's write would. @returns whether it is mapped. */
  setDirty(domain: number, iova: bigint): boolean {
    const page = pageOf(iova);
    return this.#map.locked(() => {
      const at = this.#map.flagsAt(domain, page);
      if (at !== 0) this.#words[this.#headAt(domain, page, at)] |= MAPPED_DIRTY;
      return at !== 0;
    });
  }

  /** A leaf is dirty as a whole. */
  readDirty(domain: number, iova: bigint, bytes: bigint, keep: boolean, sink: DirtySink | undefined): void {
    const end = pageOf(iova + bytes);
    for (let page = pageOf(iova); page < end; ) page = this.#map.locked(() => this.#readLeaf(domain, page, keep, sink));
  }

  /** Context: locked. @returns the page after the leaf. */
  #readLeaf(domain: number, page: number, keep: boolean, sink: DirtySink | undefined): number {
    const at = this.#map.flagsAt(domain, page);
    if (at === 0) return page + 1;
    const isHuge = (this.#words[at] & MAPPED_HUGE) !== 0;
    const start = isHuge ? page - (page % LEAF) : page;
    const next = start + (isHuge ? LEAF : 1);
    const headAt = this.#headAt(domain, page, at);
    if ((this.#words[headAt] & MAPPED_DIRTY) === 0) return next;
    if (!keep) this.#words[headAt] &= ~MAPPED_DIRTY;
    sink?.mark(BigInt(start * MOCK_PAGE_BYTES), BigInt(next * MOCK_PAGE_BYTES - 1));
    return next;
  }

  /** Takes frames away from all domains, or says that they may be mapped again: what was mapped stays out of reach. */
  revoke(frames: readonly number[], revoked: boolean): void {
    const gone = new Set(frames);
    this.#map.locked(() => {
      for (const frame of frames) this.#words[this.#revoked + frame] = revoked ? 1 : 0;
      if (!revoked) return;
      for (const at of this.#map.slots())
        if (gone.has(this.#words[at + 2] >>> FRAME_LG2)) this.#words[at + 3] |= MAPPED_REVOKED;
    });
  }

  isRevoked(frame: number): boolean {
    return Atomics.load(this.#words, this.#revoked + frame) === 1;
  }

  /** Flags that say whether a page is dirty: its leaf's first page's. */
  #headAt(domain: number, page: number, at: number): number {
    return (this.#words[at] & MAPPED_HUGE) === 0 ? at : this.#map.flagsAt(domain, page - (page % LEAF));
  }
}

/** Whether the page's whole leaf lies in what is being mapped, as well aligned in memory. */
function isLeaf(page: number, first: number, memory: number, count: number): boolean {
  const head = page - (page % LEAF);
  return head >= first && head + LEAF <= first + count && (memory + head - first) % LEAF === 0;
}
