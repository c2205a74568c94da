// What the hardware counts. Its words are in layout.ts, how to read them in unit.ts.

/** Hardware statistics, u32, one writer: the hardware. */
export const VTD_STAT_NAMES = [
  'requests', // page requests taken from the ports
  'queued', // of these, written into the page request queue
  'autoSuccess', // answered Success by the hardware: overflow
  'autoInvalid', // answered Invalid by the hardware: tables
  'dropped', // not answered: neither queued nor last, or a stop marker that was not queued
  'overflows', // times PRO was set
  'tableErrors', // requests that met a table error
  'faultsRecorded', // of these, said in a fault record
  'faultsLost', // of these, found no record free
  'implicitInvalidations', // page-selective invalidations before a descriptor is written
  'descriptors', // invalidation queue descriptors taken
  'responses', // of these, page group responses
  'strayResponses', // of these, for a requester or index that no port has, or that takes no more
  'invalidations', // cache invalidations, device-TLBs included
  'deviceTlb', // of these, sent to devices
  'waits', // wait descriptors completed
  'drains', // of these, with PD
  'abortedWaits', // given up by an invalidation time-out
  'queueErrors', // IQE raised
  'timeouts', // ITE raised
  'completionErrors', // ICE raised
  'interrupts', // page request events
  'faultEvents', // fault events
  'peakQueued', // most requests in the queue
] as const;
export type VtdStatName = (typeof VTD_STAT_NAMES)[number];
export const STAT_REQUESTS = 0;
export const STAT_QUEUED = 1;
export const STAT_AUTO_SUCCESS = 2;
export const STAT_AUTO_INVALID = 3;
export const STAT_DROPPED = 4;
export const STAT_OVERFLOWS = 5;
export const STAT_TABLE_ERRORS = 6;
export const STAT_FAULTS_RECORDED = 7;
export const STAT_FAULTS_LOST = 8;
export const STAT_IMPLICIT = 9;
export const STAT_DESCRIPTORS = 10;
export const STAT_RESPONSES = 11;
export const STAT_STRAYS = 12;
export const STAT_INVALIDATIONS = 13;
export const STAT_DEVICE_TLB = 14;
export const STAT_WAITS = 15;
export const STAT_DRAINS = 16;
export const STAT_ABORTED = 17;
export const STAT_QUEUE_ERRORS = 18;
export const STAT_TIMEOUTS = 19;
export const STAT_COMPLETION_ERRORS = 20;
export const STAT_INTERRUPTS = 21;
export const STAT_FAULT_EVENTS = 22;
export const STAT_PEAK = 23;
