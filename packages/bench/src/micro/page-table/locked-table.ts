import type { DirtyBitmap, HardwareWalker, PageTable } from '@faultline/hw/page-table';
import type { TableLock } from './locks.ts';

/** The same page table, each call under a lock: once a call, however many pages it has. Hardware takes no lock. */
export class LockedTable {
  readonly #table: PageTable;
  readonly #lock: TableLock;
  readonly #device: HardwareWalker;

  constructor(table: PageTable, lock: TableLock) {
    this.#table = table;
    this.#lock = lock;
    this.#device = table.walker(undefined, { tlbEntries: 1 });
  }

  map(iovaPage: number, oaPage: number, pages: number, prot: number): void {
    this.#lock.write();
    try {
      this.#table.map(iovaPage, oaPage, pages, prot);
    } finally {
      this.#lock.endWrite();
    }
  }

  unmap(iovaPage: number, pages: number): number {
    this.#lock.write();
    try {
      return this.#table.unmap(iovaPage, pages);
    } finally {
      this.#lock.endWrite();
    }
  }

  sync(): void {
    this.#table.gather.sync();
    this.#device.idle(); // it forgets what it cached
  }

  iovaToPhys(iovaPage: number): number {
    this.#lock.read();
    try {
      return this.#table.iovaToPhys(iovaPage);
    } finally {
      this.#lock.endRead();
    }
  }

  readDirty(iovaPage: number, pages: number, bitmap: DirtyBitmap): number {
    this.#lock.read();
    try {
      return this.#table.readDirty(iovaPage, pages, bitmap);
    } finally {
      this.#lock.endRead();
    }
  }

  readAndClearDirty(iovaPage: number, pages: number, bitmap: DirtyBitmap | undefined): number {
    this.#lock.read();
    try {
      return this.#table.readAndClearDirty(iovaPage, pages, bitmap);
    } finally {
      this.#lock.endRead();
    }
  }

  write(iovaPage: number): void {
    this.#device.access(iovaPage, true);
  }
}
