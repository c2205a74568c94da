export { type MmBooks, readMmBooks } from './books.ts';
export { FRAME_WORDS, initMm, MAX_PAGE, type MmConfig, mmWords } from './layout.ts';
export { Mm, type MmOptions } from './mm.ts';
export { type Notifier, noNotifier } from './notifier.ts';
export {
  PTE_ACCESSED,
  PTE_BUSY,
  PTE_DIRTY,
  PTE_EXECUTABLE,
  PTE_FLAGS,
  PTE_LEASE,
  PTE_LEASE_USED,
  PTE_NUMA_HINT,
  PTE_PRESENT,
  PTE_READABLE,
  PTE_WAITERS,
  PTE_WRITABLE,
  pteOwner,
} from './pte.ts';
export { PageScanner, type ScannerConfig } from './scanner.ts';
