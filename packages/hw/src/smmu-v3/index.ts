export * from './commands.ts';
export { type AttachOptions, SmmuDriver, type SmmuDriverConfig } from './driver.ts';
export { EventPump, type EventPumpConfig, PUMP_OUTCOMES, type PumpOutcome } from './event-pump.ts';
export * from './events.ts';
export { describeFields, type Field, type FieldValues } from './fields.ts';
export { SmmuHardware, type SmmuHardwareConfig } from './hardware.ts';
export {
  initSmmu,
  readSmmuStats,
  type SmmuConfig,
  STAT_NAMES,
  type StatName,
  type StreamConfig,
  smmuAnnounceBase,
  smmuLayout,
  smmuWords,
  writeStream,
} from './layout.ts';
export {
  CERROR_ILL,
  CMDQ_ERR_FLAG,
  CMDQ_ERR_MASK,
  CR0_CMDQEN,
  CR0_EVTQEN,
  CR0_SMMUEN,
  CR2_RECINVSID,
  GERROR_CMDQ,
  GERROR_MSI_CMDQ,
  STE_ABORT,
  STE_BYPASS,
  STE_TRANSLATE,
  STE_V,
} from './registers.ts';
export { SmmuOps, type SmmuOpsConfig } from './smmu-ops.ts';
export {
  initStallPort,
  STALL_ABORT,
  STALL_PENDING,
  STALL_RETRY,
  StallPort,
  type StallPortConfig,
  stallPortWords,
} from './stall-port.ts';
