export type { Procedure, Waiting } from '../procedure/procedure.ts';
export type { RecordView } from '../record/view.ts';
export type { Attached, AttachedByRid, DomainsByPasid, VtdDomain } from './attachments.ts';
export { CAPABILITY_DEFAULTS, CAPABILITY_FIELDS } from './capabilities.ts';
export * from './descriptor-codec.ts';
export { VtdDriver } from './driver.ts';
export { EventPump, type EventPumpConfig } from './event-pump.ts';
export * from './fault-records.ts';
export { VtdHardware, type VtdHardwareConfig } from './hardware.ts';
export * from './invalidations.ts';
export { vtdLayout } from './layout.ts';
export * from './page-requests.ts';
export { PasidTables } from './pasid-tables.ts';
export { probeVtd, readCapabilityRegisters, readFeatures, type VtdFeatures } from './probe.ts';
export { VtdProcedures, type VtdProceduresConfig } from './procedures.ts';
export { PUMP_OUTCOMES, type PumpOutcome } from './pump-outcomes.ts';
export * from './registers.ts';
export { FAULT_SECOND_STAGE, Remapper, type RemapperConfig } from './remapper.ts';
export { VTD_STAT_NAMES, type VtdStatName } from './stats.ts';
export {
  CONTEXT_FIELDS,
  CONTEXT_WORDS,
  encodePasidEntry,
  NO_PASID,
  PASID_ENTRY_FIELDS,
  PASID_ENTRY_WORDS,
  type Translation,
} from './tables.ts';
export { initVtd, readVtdStats, type VtdConfig, vtdAnnounceBase, vtdWords } from './unit.ts';
export { VtdOps, type VtdOpsConfig } from './vtd-ops.ts';
