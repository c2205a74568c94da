import { checkInteger, IommuError } from '@faultline/core/errors';
import { LINE, type Words } from '@faultline/core/sync';

// What a device thread has done: a line of its own, no other writer. Stored at the end of each round, so whoever reads
// meanwhile sees some recent round.
//
//   POSTED 0 · RESUMED 1 · ABORTED 2 · REFAULTS 3 · ROUNDS 4 · JOBS 5 · FAILED 6 · TIMEOUTS 7 · CUT 8 · WORST_AGE 9 · FINISHED 10
//   POSTED = RESUMED + ABORTED once FINISHED

export interface DeviceResults {
  /** Stalls posted: faults, re-faults included. */
  posted: number;
  /** Stalls answered with retry. */
  resumed: number;
  /** Stalls answered with abort. */
  aborted: number;
  /** Posted for a page that the same job had touched or posted before. */
  refaults: number;
  /** Rounds of the stall port. */
  rounds: number;
  /** Jobs done. */
  jobs: number;
  /** Jobs failed: by time-out or abort. */
  failed: number;
  /** Jobs failed because an access outlived the device's time-out. */
  timeouts: number;
  /** Jobs that the end of the run cut short. */
  cut: number;
  /** Longest time of a stalled access from first touch to completion, or to its job's failure. Ticks. */
  worstAge: number;
  /** The thread has ended. */
  finished: number;
}

const FIELDS: readonly (keyof DeviceResults)[] = [
  'posted',
  'resumed',
  'aborted',
  'refaults',
  'rounds',
  'jobs',
  'failed',
  'timeouts',
  'cut',
  'worstAge',
  'finished',
];

/** Words of one device thread's results. */
export function deviceResultWords(): number {
  return LINE;
}

/** @throws IommuError EINVAL base */
export function initDeviceResults(words: Words, base: number): void {
  const call = 'initDeviceResults';
  checkInteger(call, 'base', base, LINE, words.length - deviceResultWords());
  if (base % LINE !== 0) throw new IommuError('EINVAL', call, 'base', base, `must be a multiple of ${LINE}`);
  words.fill(0, base, base + LINE);
}

/** Stores the counts. Context: the thread that they count. */
export function publishDeviceResults(words: Words, base: number, results: DeviceResults): void {
  for (let field = 0; field < FIELDS.length; field++) Atomics.store(words, base + field, results[FIELDS[field]]);
}

export function readDeviceResults(words: Words, base: number): DeviceResults {
  const results = emptyDeviceResults();
  for (let field = 0; field < FIELDS.length; field++) results[FIELDS[field]] = Atomics.load(words, base + field) >>> 0;
  return results;
}

export function emptyDeviceResults(): DeviceResults {
  return {
    posted: 0,
    resumed: 0,
    aborted: 0,
    refaults: 0,
    rounds: 0,
    jobs: 0,
    failed: 0,
    timeouts: 0,
    cut: 0,
    worstAge: 0,
    finished: 0,
  };
}
