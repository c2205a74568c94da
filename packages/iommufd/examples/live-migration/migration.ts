// The rounds of a live migration, over whatever copies a page.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Iommufd } from '@faultline/iommufd';

const PAGE = 4096n;
/** Pages that are sent at once. */
const BATCH = 64;

export interface Migration {
  readonly iommufd: Iommufd;
  /** An HWPT that was made for dirty tracking, and is attached. */
  readonly hwptId: number;
  readonly iova: bigint;
  /** Of 4 KiB. */
  readonly pages: number;
  /** Few enough to be copied while the device stands still. */
  readonly fewPages: number;
  readonly maxRounds: number;
  /** Milliseconds that the link takes for a page. */
  readonly pageMs: number;
  copyPage(page: number): void;
  /** Returns once nothing that the device wrote is still under way. */
  stopDevice(): void;
  onProgress(round: number, copied: number, toCopy: number): void;
}

export interface Round {
  readonly copied: number;
  readonly ms: number;
}

/** Copies everything once, then what was written meanwhile, again and again. Everything that is dirty when a bitmap is read is copied after
 * that, and what is written after that is dirty in the next. */
export async function copyWhileRunning(migration: Migration): Promise<Round[]> {
  const { iommufd, hwptId, pages, fewPages, maxRounds } = migration;
  iommufd.setDirtyTracking(hwptId, true); // everything is clean from here on
  const bitmap = new Uint8Array(Math.ceil(pages / 8)).fill(0xff);
  const rounds: Round[] = [];
  for (;;) {
    rounds.push(await copyDirty(migration, bitmap, rounds.length + 1));
    bitmap.fill(0); // the call only sets bits
    readDirty(migration, bitmap, false);
    const dirty = countBits(bitmap);
    const isShrinking = dirty < (rounds.at(-1)?.copied ?? 0);
    if (dirty <= fewPages || !isShrinking || rounds.length === maxRounds) {
      rounds.push(await copyDirty(migration, bitmap, rounds.length + 1)); // what was cleared has to be copied
      return rounds;
    }
  }
}

/** The last round: the device stands still, and nobody needs the bits any more. @returns its pages and the time that the device stood. */
export async function copyLast(migration: Migration, round: number): Promise<Round> {
  const start = performance.now();
  migration.stopDevice();
  const bitmap = new Uint8Array(Math.ceil(migration.pages / 8));
  readDirty(migration, bitmap, true);
  const { copied } = await copyDirty(migration, bitmap, round);
  return { copied, ms: performance.now() - start };
}

function readDirty({ iommufd, hwptId, iova, pages }: Migration, bitmap: Uint8Array, noClear: boolean): void {
  iommufd.getDirtyBitmap({ hwptId, iova, length: BigInt(pages) * PAGE, pageSize: PAGE, bitmap, noClear });
}

async function copyDirty(migration: Migration, bitmap: Uint8Array, round: number): Promise<Round> {
  const { pages, pageMs, copyPage, onProgress } = migration;
  const start = performance.now();
  const toCopy = Math.min(pages, countBits(bitmap));
  let copied = 0;
  for (let page = 0; page < pages; page++) {
    if (((bitmap[page >>> 3] >>> (page & 7)) & 1) === 0) continue;
    copyPage(page);
    copied++;
    if (copied % BATCH !== 0 && copied !== toCopy) continue;
    onProgress(round, copied, toCopy);
    await sleep(Math.max(0, start + copied * pageMs - performance.now()));
  }
  return { copied, ms: performance.now() - start };
}

function countBits(bitmap: Uint8Array): number {
  let count = 0;
  for (const byte of bitmap) for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
  return count;
}
