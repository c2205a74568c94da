import { checkInteger, IommuError } from '@faultline/core/errors';
import { LINE, type Words } from '@faultline/core/sync';

// What a device thread has done: a line of its own, no other writer. Stored at the end of each round and job, so whoever reads
// meanwhile sees some recent round. POSTED = RESUMED + ABORTED once FINISHED.
export const RESULT_POSTED = 0; // stalls posted: faults, re-faults included
export const RESULT_RESUMED = 1; // stalls answered with retry
export const RESULT_ABORTED = 2; // stalls answered with abort
export const RESULT_REFAULTS = 3; // posted for a page that the same job had touched or posted before
export const RESULT_ROUNDS = 4; // rounds of the stall port
export const RESULT_JOBS = 5; // jobs done
export const RESULT_FAILED = 6; // jobs failed: by time-out or abort
export const RESULT_TIMEOUTS = 7; // jobs failed because an access outlived the device's time-out
export const RESULT_CUT = 8; // jobs that the end of the run cut short
export const RESULT_WORST_AGE = 9; // ticks: longest time of a stalled access from first touch to completion, or to its job's time-out
export const RESULT_FINISHED = 10; // 1: the thread has ended
export const RESULT_ADMITTED = 11; // jobs that began with a place that was asked for
export const RESULT_WAITED = 12; // times that it was not there at once
export const RESULT_WAIT_TICKS = 13; // ticks waited for places, together
export const RESULT_WORST_WAIT = 14; // ticks: longest wait for a place, of a job that the end kept from beginning too
const FIELDS = 15;

export interface DeviceResults {
  posted: number;
  resumed: number;
  aborted: number;
  refaults: number;
  rounds: number;
  jobs: number;
  failed: number;
  timeouts: number;
  cut: number;
  /** Ticks. */
  worstAge: number;
  admitted: number;
  waited: number;
  /** Ticks. */
  waitTicks: number;
  /** Ticks. */
  worstWait: number;
  finished: boolean;
}

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

/** The writer's side: counts in private, stores what changed. */
export class DeviceBook {
  readonly #words: Words;
  readonly #base: number;
  readonly #counts: Int32Array = new Int32Array(FIELDS);
  readonly #stored: Int32Array = new Int32Array(FIELDS);

  constructor(words: Words, base: number) {
    this.#words = words;
    this.#base = base;
  }

  add(field: number, count: number): void {
    this.#counts[field] += count;
  }

  raise(field: number, value: number): void {
    if (value > this.#counts[field]) this.#counts[field] = value;
  }

  publish(): void {
    for (let field = 0; field < FIELDS; field++) {
      const count = this.#counts[field];
      if (count === this.#stored[field]) continue;
      this.#stored[field] = count;
      Atomics.store(this.#words, this.#base + field, count);
    }
  }
}

export function readDeviceResults(words: Words, base: number): DeviceResults {
  const read = (field: number): number => Atomics.load(words, base + field) >>> 0;
  return {
    posted: read(RESULT_POSTED),
    resumed: read(RESULT_RESUMED),
    aborted: read(RESULT_ABORTED),
    refaults: read(RESULT_REFAULTS),
    rounds: read(RESULT_ROUNDS),
    jobs: read(RESULT_JOBS),
    failed: read(RESULT_FAILED),
    timeouts: read(RESULT_TIMEOUTS),
    cut: read(RESULT_CUT),
    worstAge: read(RESULT_WORST_AGE),
    admitted: read(RESULT_ADMITTED),
    waited: read(RESULT_WAITED),
    waitTicks: read(RESULT_WAIT_TICKS),
    worstWait: read(RESULT_WORST_WAIT),
    finished: read(RESULT_FINISHED) === 1,
  };
}
