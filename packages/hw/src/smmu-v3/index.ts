export { spanLg2 as atcSpanLog2 } from '../pcie/ats-range.ts';
export { describeFields, type Field, type FieldValues } from '../record/fields.ts';
export type { RecordView } from '../record/view.ts';
export { ATS_COMPLETER_ABORT, ATS_TRANSLATE, ATS_UNSUPPORTED, type AtsUnit } from './ats-unit.ts';
export { BlockingEntries } from './blocking-entries.ts';
export {
  CD_FIELDS,
  CD_WORDS,
  cdIllegal,
  decodeCd,
  encodeCd,
  L1CD_FIELDS,
  L1CD_WORDS,
  writeL1Cd,
} from './cd.ts';
export type { TlbListener } from './command-unit.ts';
export * from './commands.ts';
export { CONTEXT_DEFAULTS, UNIFORM_ASID } from './context-area.ts';
export {
  type Described,
  describeCommand,
  describeEvent,
  viewCommand,
  viewEvent,
} from './describe.ts';
export {
  BLOCKED,
  type BlockedDomain,
  IDENTITY,
  type IdentityDomain,
  type NestedDomain,
  PagingDomain,
  type SmmuDomain,
  virtualNested,
} from './domains.ts';
export { type AttachOptions, SmmuDriver, type SmmuDriverConfig } from './driver.ts';
export { CD_KIND, STE_KIND } from './entry-kinds.ts';
export { type EntryKind, type EntryUpdate, planUpdate, writeEntry } from './entry-writer.ts';
export { EventPump, type EventPumpConfig, PUMP_OUTCOMES, type PumpOutcome } from './event-pump.ts';
export * from './events.ts';
export { SmmuHardware, type SmmuHardwareConfig } from './hardware.ts';
export {
  IDR_DEFAULTS,
  IDR_FIELDS,
  readIdrs,
  STALL_AND_TERMINATE,
  STALL_FORCED,
  TERMINATE_ONLY,
} from './id-registers.ts';
export {
  initSmmu,
  readSmmuStats,
  type SmmuConfig,
  STAT_NAMES,
  type StatName,
  type StreamConfig,
  smmuAnnounceBase,
  smmuLayout,
  smmuPriAnnounceBase,
  smmuWords,
  writeStream,
} from './layout.ts';
export type { AtsControl } from './master-ats.ts';
export { enablePri, type PriControl, PriCredits, type SmmuPriParts, smmuPriDriver } from './pri-off.ts';
export { PRIQ_OUTCOMES, type PriqOutcome, PriqPump, type PriqPumpConfig } from './priq-pump.ts';
export * from './priq-records.ts';
export { idRegisters, probeSmmu, readFeatures, type SmmuFeatures } from './probe.ts';
export * from './registers.ts';
export { type FaultUse, SmmuMaster, type SmmuMasterConfig } from './smmu-master.ts';
export { PRI_TOKEN, SmmuOps, type SmmuOpsConfig } from './smmu-ops.ts';
export {
  initStallPort,
  STALL_ABORT,
  STALL_PENDING,
  STALL_RETRY,
  StallPort,
  type StallPortConfig,
  stallPortWords,
} from './stall-port.ts';
export * from './ste.ts';
export {
  abortEntry,
  bypassEntry,
  checkNestedEntry,
  contextEntry,
  contextTableEntry,
  type EntryParts,
  NESTED_ALLOWED,
  nestedEntry,
  nestedFields,
  type Stage1Context,
  type Stage2Tables,
  stage2Entry,
} from './stream-entries.ts';
export { MISS, MISS_STAGE2, type TranslationMemory, type TranslationUnit } from './translation-unit.ts';
export type { MasterVirtual } from './virtual-attach.ts';
