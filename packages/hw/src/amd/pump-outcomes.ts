/** What became of a log entry, or of a log. */
export const AMD_PUMP_OUTCOMES = [
  'reported', // handed to the core, which answers the device
  'refused', // handed to the core, which refused it (and answered the device)
  'noPasid', // GN=0: answered Failure
  'malformed', // reserved bit set: answered Failure
  'badPasid', // PASID 0, or one that the device may not use: answered Failure
  'unknownDevice', // no driver: answered Failure
  'unknownEntry', // a type that the PPR log does not have: nothing to answer
  'stopMarkers', // nothing to answer
  'missing', // entries that the tail covered and that never came
  'events', // events taken from the event log
  'unknownEvents', // of a type that is unknown or left out
  'pprOverflows', // times the PPR log was restarted
  'eventOverflows', // times the event log was restarted
  'earlyWarnings', // times the PPR log's warning was seen
] as const;
export type AmdPumpOutcome = (typeof AMD_PUMP_OUTCOMES)[number];
export const REPORTED = 0;
export const REFUSED = 1;
export const NO_PASID = 2;
export const MALFORMED = 3;
export const BAD_PASID = 4;
export const UNKNOWN_DEVICE = 5;
export const UNKNOWN_ENTRY = 6;
export const STOP_MARKERS = 7;
export const MISSING = 8;
export const EVENTS = 9;
export const UNKNOWN_EVENTS = 10;
export const PPR_OVERFLOWS = 11;
export const EVENT_OVERFLOWS = 12;
export const EARLY_WARNINGS = 13;
