// Shared by this folder's tests: page tables of every format over fresh memory.
import { initRcu, LINE, Rcu, RcuThread, rcuWords, type ThreadSelf, type Words } from '@faultline/core/sync';
import type { LeafView } from './describe.ts';
import type { Entries } from './entry.ts';
import type { Format } from './format.ts';
import { amdV1 } from './formats/amdv1.ts';
import { armLpae } from './formats/arm-lpae.ts';
import { riscvSv } from './formats/riscv-sv.ts';
import { vtdSecondStage } from './formats/vtd-second-stage.ts';
import { x86FirstStage } from './formats/x86-first-stage.ts';
import { IotlbInvalidator, IotlbPort, initIotlb, iotlbWords } from './iotlb.ts';
import type { TablePoolConfig } from './layout.ts';
import { initPageTable, PageTable, type PageTableOptions, pageTableWords } from './page-table.ts';
import { initTablePool, TablePool, tablePoolEntries, tablePoolWords } from './table-pool.ts';

/** Every format in the configurations that the tests run over. */
export const FORMATS: Readonly<Record<string, () => Format>> = {
  'amdv1 from level 2': () => amdV1(),
  'amdv1 from level 0': () => amdV1({ startLevel: 0 }),
  'amdv1 from level 5': () => amdV1({ startLevel: 5 }),
  'amdv1 before 6.19': () => amdV1({ partialUnmap: 'whole-leaf-anywhere' }),
  'amdv1 32 bits': () => amdV1({ iovaLg2: 32 }),
  // The widths of the variant that the kernel's self test uses; its 2 KiB granule has no page number here.
  'amdv1 56 bits in, 51 out': () => amdV1({ iovaLg2: 56, oaLg2: 51 }),
  'vtd 39 bits': () => vtdSecondStage({ iovaLg2: 39 }),
  'vtd 48 bits': () => vtdSecondStage(),
  'vtd 57 bits': () => vtdSecondStage({ iovaLg2: 57 }),
  'x86 48 bits': () => x86FirstStage(),
  'x86 57 bits': () => x86FirstStage({ levels: 5 }),
  'x86 47 bits': () => x86FirstStage({ signExtended: false }),
  'x86 56 bits': () => x86FirstStage({ levels: 5, signExtended: false }),
  'arm s1 4k': () => armLpae({ stage: 1, dirty: true }),
  'arm s1 4k contiguous': () => armLpae({ stage: 1, dirty: true, contiguous: true }),
  'arm s1 16k': () => armLpae({ stage: 1, granuleLg2: 14, dirty: true }),
  'arm s1 64k': () => armLpae({ stage: 1, granuleLg2: 16, dirty: true }),
  'arm s1 16k contiguous': () => armLpae({ stage: 1, granuleLg2: 14, iasLg2: 47, dirty: true, contiguous: true }),
  'arm s1 64k 52 bits contiguous': () =>
    armLpae({ stage: 1, granuleLg2: 16, iasLg2: 52, oasLg2: 52, dirty: true, contiguous: true }),
  'arm s2 4k contiguous': () => armLpae({ stage: 2, dirty: true, contiguous: true }),
  'arm s2 16k 48 bits joined': () => armLpae({ stage: 2, granuleLg2: 14, dirty: true }),
  'arm s2 64k contiguous': () => armLpae({ stage: 2, granuleLg2: 16, dirty: true, contiguous: true }),
  'arm s2 4k 40 bits joined': () => armLpae({ stage: 2, iasLg2: 40, oasLg2: 40, dirty: true }),
  'arm s2 16k 40 bits joined': () => armLpae({ stage: 2, granuleLg2: 14, iasLg2: 40, oasLg2: 40, dirty: true }),
  'riscv sv39': () => riscvSv({ mode: 39, hardwareDirty: true }),
  'riscv sv48 svnapot': () => riscvSv({ svnapot: true, hardwareDirty: true }),
  'riscv sv57': () => riscvSv({ mode: 57 }),
  'riscv sv57 dirty': () => riscvSv({ mode: 57, hardwareDirty: true }),
};

/** Where a rig's structures are: the same numbers in every thread. */
export interface Shared {
  readonly words: Words;
  readonly entries: Entries;
  readonly format: string;
  readonly threads: number;
  readonly walkers: number;
  readonly tables: number;
}

/** The first line is the test's own. */
const RCU_AT: number = 2 * LINE;

function places({ threads, walkers, tables, format }: Omit<Shared, 'words' | 'entries'>): {
  pool: TablePoolConfig;
  iotlbAt: number;
  poolAt: number;
  tableAt: number;
  end: number;
} {
  const { indexLg2, joinedLg2 } = FORMATS[format]();
  const pool = { tables, slots: 2 ** indexLg2, roots: joinedLg2 > 0 ? 1 : 0, rootTables: 2 ** joinedLg2 };
  const iotlbAt = RCU_AT + rcuWords(threads);
  const poolAt = iotlbAt + iotlbWords(walkers);
  const tableAt = poolAt + tablePoolWords(pool);
  return { pool, iotlbAt, poolAt, tableAt, end: tableAt + pageTableWords() };
}

/** Lays everything out. */
export function share(format: string, threads = 1, walkers = 1, tables = 400): Shared {
  const plan = { format, threads, walkers, tables };
  const { pool, iotlbAt, poolAt, tableAt, end } = places(plan);
  const words = new Int32Array(new SharedArrayBuffer(end * 4));
  const entries = new BigInt64Array(new SharedArrayBuffer(tablePoolEntries(pool) * 8));
  initRcu(words, RCU_AT, threads);
  initIotlb(words, iotlbAt, walkers);
  initTablePool(words, poolAt, pool);
  const tables1 = new TablePool(words, poolAt, entries, { id: 1, spins: 0 });
  initPageTable(words, tableAt, tables1, FORMATS[format]());
  tables1.flush();
  return { ...plan, words, entries };
}

/** One thread's view of what was shared. */
export class Rig {
  readonly shared: Shared;
  readonly self: ThreadSelf;
  readonly rcu: Rcu;
  readonly reader: RcuThread;
  readonly pool: TablePool;
  readonly table: PageTable;
  readonly invalidator: IotlbInvalidator;
  readonly #iotlbAt: number;

  constructor(shared: Shared, id = 1, options: PageTableOptions = {}) {
    const { iotlbAt, poolAt, tableAt } = places(shared);
    this.shared = shared;
    this.self = { id, spins: 0 };
    this.#iotlbAt = iotlbAt;
    this.rcu = new Rcu(shared.words, RCU_AT);
    this.reader = new RcuThread(shared.words, RCU_AT, this.self);
    this.reader.online();
    this.pool = new TablePool(shared.words, poolAt, shared.entries, this.self, { batch: 4, checked: true });
    this.invalidator = new IotlbInvalidator(shared.words, iotlbAt, this.self);
    this.table = new PageTable(shared.words, tableAt, this.pool, FORMATS[shared.format](), this.rcu, this.self, {
      invalidator: this.invalidator,
      ...options,
    });
  }

  port(walker = 1): IotlbPort {
    return new IotlbPort(this.shared.words, this.#iotlbAt, walker);
  }

  /** Syncs, and frees all that waits. */
  settle(): void {
    this.table.gather.sync();
    this.table.deferred.flush(this.self);
  }
}

/** A rig of one thread, over memory of its own. */
export function rigOf(format: string, options: PageTableOptions = {}): Rig {
  return new Rig(share(format), 1, options);
}

export function leavesOf(table: PageTable): LeafView[] {
  const leaves: LeafView[] = [];
  table.visit({ leaf: (leaf) => void leaves.push(leaf) });
  return leaves;
}

/** log2 of the smallest leaf's 4 KiB pages. */
export function granulePages(table: PageTable): number {
  return 2 ** (table.tree.format.granuleLg2 - 12);
}
