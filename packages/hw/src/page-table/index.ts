export { checkPage, checkRange, MAX_PAGES } from './addresses.ts';
export { type PageTableCost, pageTableCosts } from './costs.ts';
export { DeferredTables } from './deferred-tables.ts';
export type { LeafView, TableVisitor } from './describe.ts';
export type { CleanMethod } from './dirty.ts';
export { DirtyBitmap } from './dirty-bitmap.ts';
export {
  clearBitsOfEntry,
  clearEntry,
  compareExchangeEntry,
  type Entries,
  installEntry,
  loadEntry,
  peekEntry,
  seenHi,
  seenLo,
  setBitsOfEntry,
  storeEntry,
  takeEntry,
} from './entry.ts';
export {
  type Bits,
  cleaned,
  type DirtyRule,
  dirtied,
  EMPTY,
  type EntryField,
  type Format,
  isDirty,
  LEAF,
  PAGE_LG2,
  type PartialUnmap,
  PROT_CACHE,
  PROT_MMIO,
  PROT_NOEXEC,
  PROT_PRIV,
  PROT_READ,
  PROT_WRITE,
  TABLE,
} from './format.ts';
export { type AmdV1Options, amdV1 } from './formats/amdv1.ts';
export { type ArmLpaeOptions, armLpae } from './formats/arm-lpae.ts';
export { ARM_MAIR_LO, amdMode, armSl0, armT0sz, vtdAddressWidth } from './formats/hardware-codes.ts';
export { type RiscvSvOptions, riscvSv } from './formats/riscv-sv.ts';
export { type VtdSecondStageOptions, vtdSecondStage } from './formats/vtd-second-stage.ts';
export { type X86FirstStageOptions, x86FirstStage } from './formats/x86-first-stage.ts';
export { Gather, type GatherOptions, type Invalidator, noInvalidator } from './gather.ts';
export { Geometry, NO_SIZE } from './geometry.ts';
export { FAULT_PERMISSION, FAULT_TRANSLATION, HardwareWalker, type WalkerOptions } from './hardware-walker.ts';
export { IotlbInvalidator, IotlbPort, initIotlb, iotlbWords } from './iotlb.ts';
export {
  DESCRIPTOR_LAYOUT,
  PAGE_TABLE_LAYOUT,
  type TablePoolConfig,
  TOP_LEVEL_MASK,
  TOP_TABLE_SHIFT,
} from './layout.ts';
export { NOT_MAPPED } from './lookup.ts';
export { describeTable, initPageTable, PageTable, type PageTableOptions, pageTableWords } from './page-table.ts';
export { poolMemory, RootWalker, type TableMemory } from './root-walker.ts';
export {
  allocPageTable,
  openPageTable,
  type PageTableThread,
  type SharedPageTable,
  type StandaloneOptions,
} from './standalone.ts';
export { initTablePool, TablePool, type TablePoolOptions, tablePoolEntries, tablePoolWords } from './table-pool.ts';
export type { ChangeTop } from './table-tree.ts';
