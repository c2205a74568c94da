/** Hardware statistics, u32, one writer: the hardware. */
export const AMD_STAT_NAMES = [
  'requests', // page requests and stop markers taken from the ports
  'logged', // of these, written to the PPR log
  'autoAnswered', // last requests that the hardware answered by itself for want of log: automatic response
  'discarded', // requests dropped for want of log, without an answer: not last, or no automatic response
  'rejected', // requests refused: IOMMU or PPR off, or the device table entry does not let them through
  'stopMarkers', // stop markers blocked, or refused with the rest
  'pprOverflows', // times the PPR log overflowed
  'earlyWarnings', // times its warning was set
  'events', // events written to the event log
  'eventsLost', // events that found no room, or no log
  'responses', // COMPLETE_PPR_REQUEST sent on
  'strays', // commands for a device or group that no port has, and completions that belong to no invalidation
  'undelivered', // responses and invalidations that a device took no more: its ring was full
  'commands', // commands consumed
  'waits', // of these, COMPLETION_WAIT
  'invalidations', // of these, invalidations
  'iotlbSent', // invalidations sent on to devices
  'iotlbTimeouts', // of these, given up
  'commandErrors', // commands at which the buffer stopped
  'interrupts', // interrupts raised
] as const;
export type AmdStatName = (typeof AMD_STAT_NAMES)[number];
export const STAT_REQUESTS = 0;
export const STAT_LOGGED = 1;
export const STAT_AUTO_ANSWERED = 2;
export const STAT_DISCARDED = 3;
export const STAT_REJECTED = 4;
export const STAT_STOP_MARKERS = 5;
export const STAT_PPR_OVERFLOWS = 6;
export const STAT_EARLY_WARNINGS = 7;
export const STAT_EVENTS = 8;
export const STAT_EVENTS_LOST = 9;
export const STAT_RESPONSES = 10;
export const STAT_STRAYS = 11;
export const STAT_UNDELIVERED = 12;
export const STAT_COMMANDS = 13;
export const STAT_WAITS = 14;
export const STAT_INVALIDATIONS = 15;
export const STAT_IOTLB_SENT = 16;
export const STAT_IOTLB_TIMEOUTS = 17;
export const STAT_COMMAND_ERRORS = 18;
export const STAT_INTERRUPTS = 19;
