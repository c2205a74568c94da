import { checkInteger } from '@faultline/core/errors';
import { type Arena, alignLine, type RegionSpec } from '@faultline/core/memory';
import { initRcu, rcuWords } from '@faultline/core/sync';
import {
  initTablePool,
  pageTableWords,
  type TablePoolConfig,
  tablePoolEntries,
  tablePoolWords,
} from '@faultline/hw/page-table';
import {
  ATTACHED_FIRST,
  ATTACHED_REGION,
  ATTACHED_ROWS,
  ATTACHED_WORDS,
  DOMAIN_TABLE,
  DOMAINS_REGION,
  ENTRIES_REGION,
  RCU_REGION,
  TABLES_REGION,
} from './layout.ts';

export interface DriverSizes {
  /** Highest number of a domain. */
  readonly domains: number;
  /** Highest id of a thread. */
  readonly threads: number;
  /** Tables of all domains at once, those included that wait for a grace period. Default 256. */
  readonly tables?: number;
  /** Devices and PASIDs with a domain at once. Default 256. */
  readonly attachments?: number;
}

/** Slots of a table of 4 KiB: the only size here. */
const SLOTS = 512;

const poolOf = ({ tables = 256 }: DriverSizes): TablePoolConfig => ({ tables, slots: SLOTS });

export function domainRowWords(): number {
  return alignLine(DOMAIN_TABLE + pageTableWords());
}

/** Regions of a driver's own part of an arena. @throws IommuError EINVAL naming the field. */
export function driverRegions(sizes: DriverSizes): RegionSpec[] {
  const { domains, threads, attachments = 256 } = sizes;
  checkInteger('driverRegions', 'domains', domains, 1, 65535);
  checkInteger('driverRegions', 'attachments', attachments, 1, 65536);
  return [
    { name: DOMAINS_REGION, words: (domains + 1) * domainRowWords() },
    { name: ATTACHED_REGION, words: alignLine(ATTACHED_FIRST + attachments * ATTACHED_WORDS) },
    { name: TABLES_REGION, words: tablePoolWords(poolOf(sizes)) },
    { name: ENTRIES_REGION, words: 2 * tablePoolEntries(poolOf(sizes)) },
    { name: RCU_REGION, words: rcuWords(threads) },
  ];
}

/** Lays them out over zeroed words, with no domain and every table free. */
export function initDriverRegions(arena: Arena, sizes: DriverSizes): void {
  const { words } = arena;
  words[arena.base(ATTACHED_REGION) + ATTACHED_ROWS] = sizes.attachments ?? 256;
  initTablePool(words, arena.base(TABLES_REGION), poolOf(sizes));
  initRcu(words, arena.base(RCU_REGION), sizes.threads);
}
