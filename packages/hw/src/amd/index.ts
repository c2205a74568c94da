export { type Procedure, runProcedure, type Waiting } from '../procedure/procedure.ts';
export type { RecordView } from '../record/view.ts';
export { AmdOps } from './amd-ops.ts';
export { type AmdAttach, NestedDomainIds } from './attach.ts';
export type { AmdOpsConfig } from './command-buffer.ts';
export {
  CMD_COMPLETE_PPR_REQUEST,
  CMD_COMPLETION_WAIT,
  CMD_INVALIDATE_DEVTAB_ENTRY,
  CMD_INVALIDATE_INTERRUPT_TABLE,
  CMD_INVALIDATE_IOMMU_ALL,
  CMD_INVALIDATE_IOMMU_PAGES,
  CMD_INVALIDATE_IOTLB_PAGES,
  COMMAND_KINDS,
  COMMAND_WORDS,
  commandDevice,
  commandOp,
  completePprGroup,
  completePprPasid,
  completePprStatus,
  decodeCommand,
  describeCommand,
  encodeCommand,
  writeCompletePpr,
  writeInvalidateIommuPages,
} from './commands.ts';
export type { AmdDeviceOptions, AtsSwitch, PriSwitch } from './device-tables.ts';
export { AmdDriver } from './driver.ts';
export { DTE_FIELDS, DTE_WORDS, decodeDte, describeDte, encodeDte, gcr3Fields, gcr3Page } from './dte.ts';
export {
  decodeEventEntry,
  describeEventEntry,
  EVENT_COMMAND_HARDWARE_ERROR,
  EVENT_COUNTER_ZERO,
  EVENT_DEV_TAB_HARDWARE_ERROR,
  EVENT_ENTRY_WORDS,
  EVENT_ILLEGAL_COMMAND_ERROR,
  EVENT_ILLEGAL_DEV_TABLE_ENTRY,
  EVENT_INVALID_DEVICE_REQUEST,
  EVENT_INVALID_PPR_REQUEST,
  EVENT_IO_PAGE_FAULT,
  EVENT_IOTLB_INV_TIMEOUT,
  EVENT_KINDS,
  EVENT_PAGE_TAB_HARDWARE_ERROR,
  encodeEventEntry,
  eventName,
  writeInvalidPprRequest,
} from './event-log.ts';
export { AmdEventPump, type AmdEventPumpConfig } from './event-pump.ts';
export { type AmdFeatures, readExtendedFeatures } from './features.ts';
export { AmdHardware, type AmdHardwareConfig } from './hardware.ts';
export {
  type AmdConfig,
  amdAnnounceBase,
  amdLayout,
  amdWords,
  deviceEntryAt,
  initAmd,
  readAmdStats,
} from './layout.ts';
export { LAST_PAGE_NUMBER, rangePageHi, rangePageLo, rangeSizeLg2 } from './page-range.ts';
export {
  decodePprEntry,
  describePprEntry,
  encodePprEntry,
  PPR_ENTRY_WORDS,
  PPR_KINDS,
  PPR_PAGE_SERVICE_REQUEST,
  pprDevice,
  pprGroup,
  pprPasid,
  pprPerm,
  writePprEntry,
} from './ppr-log.ts';
export { type AmdDriverConfig, AmdProcedures } from './procedures.ts';
export { AMD_PUMP_OUTCOMES, type AmdPumpOutcome } from './pump-outcomes.ts';
export type { DecodedRecord, RecordKind } from './records.ts';
export {
  INV_TIMEOUT_1S,
  INV_TIMEOUT_10MS,
  INV_TIMEOUT_MS,
  INV_TIMEOUT_NONE,
  MMIO_REGISTERS,
  STATUS_CMD_RUN,
  STATUS_COMWAIT_INT,
  STATUS_EVT_INT,
  STATUS_EVT_OVERFLOW,
  STATUS_EVT_RUN,
  STATUS_PPR_EARLY,
  STATUS_PPR_INT,
  STATUS_PPR_OVERFLOW,
  STATUS_PPR_RUN,
} from './registers.ts';
export { AMD_STAT_NAMES, type AmdStatName } from './stats.ts';
export type { AmdEnableOptions } from './switch-procedures.ts';
