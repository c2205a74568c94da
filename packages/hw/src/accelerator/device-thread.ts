import { checkInteger, IommuError } from '@faultline/core/errors';
import { type Clock, LINE, type Words } from '@faultline/core/sync';
import { histogramRecord, histogramWords } from '@faultline/core/trace';
import { pageHi, pageLo } from '../mm/areas.ts';
import { MAX_PAGE } from '../mm/layout.ts';
import { STALL_ABORT, STALL_RETRY } from '../smmu-v3/stall-port.ts';
import {
  DeviceBook,
  deviceResultWords,
  RESULT_ABORTED,
  RESULT_ADMITTED,
  RESULT_CUT,
  RESULT_FAILED,
  RESULT_FINISHED,
  RESULT_JOBS,
  RESULT_POSTED,
  RESULT_REFAULTS,
  RESULT_RESUMED,
  RESULT_ROUNDS,
  RESULT_TIMEOUTS,
  RESULT_WAIT_TICKS,
  RESULT_WAITED,
  RESULT_WORST_AGE,
  RESULT_WORST_WAIT,
} from './device-results.ts';
import { claimFaults } from './fault-budget.ts';

// A device thread: jobs over windows of its own area, by shared virtual addressing. It is a state machine that a worker's loop
// steps, so that one worker can hold several, and a test can hand it any port, memory and clock.
//
//   between-jobs ──▶ touching ──▶ waiting ──▶ touching …    a round: touch what is left, post what is absent, wait for all of it
//        ▲               │           │
//        └── job done ───┘           └── stopped, or no fault left ──▶ finished
//
// With admission a job is in-line between its begin and its first touch, where it has not been issued: it has no age, and can time out of
// nothing.
//
// All stalls of a job are answered before anything else happens to it, so a failed job leaves nothing behind in the port.
const BETWEEN_JOBS = 0;
const TOUCHING = 1;
const WAITING = 2;
const FINISHED = 3;
const IN_LINE = 4;

/** What {@link DeviceThread.step} found. */
export const STEP_BUSY = 0; // step again
export const STEP_WAITING = 1; // stalls are outstanding
export const STEP_FINISHED = 2;
export const STEP_IN_LINE = 3; // the job may not begin yet; nobody looks at the port meanwhile

/** What the device needs of an address space. */
export interface DeviceMemory {
  translate(pageLo: number, pageHi: number, perm: number): boolean;
  discard(startPage: number, pages: number): number;
}

/** What the device needs of a stall port: {@link StallPort} has it. */
export interface DevicePort {
  readonly capacity: number;
  post(pageLo: number, pageHi: number, perm: number, tick: number): number;
  publish(): void;
  isDone(): boolean;
  result(slot: number): number;
  postedAt(slot: number): number;
  resumedAt(slot: number): number;
  reset(): void;
}

/** What the device asks before a job's first access: {@link Admission} has it. */
export interface JobAdmission {
  /** @returns whether the job may begin now; if not the thread's doorbell rings when it may. Each call is followed by one of `end`. */
  ask(): boolean;
  isAdmitted(): boolean;
  end(): void;
}

export interface DeviceThreadConfig {
  /** First page of this thread's area: `windows * pagesPerJob` pages, mapped for `perm`, touched by nobody else. */
  readonly basePage: number;
  /** Pages of a window: what one job touches. */
  readonly pagesPerJob: number;
  /** Windows that jobs take turns on. When all had theirs the area is discarded: buffers are fresh memory again. */
  readonly windows: number;
  /** Times that a job goes over its window. Pages taken away meanwhile fault again. */
  readonly passes: number;
  /** Whether an access that was resumed is tried again, as a device does. Without, being resumed completes it: for handlers that map
   * nothing. Default true. */
  readonly retries?: boolean;
  /** FAULT_PERM bits of each access. */
  readonly perm: number;
  /** One access's limit from first touch to completion, in ticks: past it the job fails. */
  readonly timeoutTicks: number;
  readonly clock: Clock;
  /** Word offset: not 0 there asks the thread to end, at the next job or round. */
  readonly stopAt: number;
  /** Word offset of the faults that all device threads may yet post (`claimFaults`); 0: no budget, until stopped. */
  readonly budgetAt: number;
  /** What bounds the jobs under way at once; without, nothing does. Waiting for it is no access's time: {@link timeoutTicks} begins after. */
  readonly admission?: JobAdmission | undefined;
  /** Base of this thread's results (`initDeviceResults`). */
  readonly resultsAt: number;
  /** Base of this thread's histogram of fault latencies, from posted to resumed (`initHistogram`). */
  readonly histogramAt: number;
}

export class DeviceThread {
  readonly #mm: DeviceMemory;
  readonly #port: DevicePort;
  readonly #words: Words;
  readonly #config: DeviceThreadConfig;
  readonly #book: DeviceBook;
  readonly #pending: Int32Array; // pages of the window not yet accessed in this pass, by index, in order
  readonly #seen: Uint8Array; // 1: the job has touched or posted this page
  #state: number = BETWEEN_JOBS;
  #left = 0; // pending pages
  #pass = 0;
  #firstTouch = 0; // of every access of this pass: the device issues them together
  #firstRound = true; // of this pass
  #stalled = 0; // slots of the round under way
  #jobPosted = false;
  #window: number;
  #first = 0; // page of the window
  #askedAt = 0; // when the job in line asked
  #isPlaced = false; // it has asked, and not ended

  /** @throws IommuError EINVAL naming the field. */
  constructor(words: Words, mm: DeviceMemory, port: DevicePort, config: DeviceThreadConfig) {
    const call = 'DeviceThread';
    checkInteger(call, 'pagesPerJob', config.pagesPerJob, 1, 2 ** 20);
    checkInteger(call, 'windows', config.windows, 1, 2 ** 20);
    checkInteger(call, 'basePage', config.basePage, 0, MAX_PAGE - config.windows * config.pagesPerJob);
    checkInteger(call, 'passes', config.passes, 1, 2 ** 20);
    checkInteger(call, 'perm', config.perm, 1, 15);
    checkInteger(call, 'timeoutTicks', config.timeoutTicks, 1, 2 ** 31 - 1); // ticks wrap
    const { length } = words;
    checkInteger(call, 'stopAt', config.stopAt, 1, length - 1);
    checkInteger(call, 'budgetAt', config.budgetAt, 0, length - 1);
    checkInteger(call, 'resultsAt', config.resultsAt, LINE, length - deviceResultWords());
    checkInteger(call, 'histogramAt', config.histogramAt, LINE, length - histogramWords());
    this.#mm = mm;
    this.#port = port;
    this.#words = words;
    this.#config = config;
    this.#book = new DeviceBook(words, config.resultsAt);
    this.#pending = new Int32Array(config.pagesPerJob);
    this.#seen = new Uint8Array(config.pagesPerJob);
    this.#window = -1;
  }

  /** Goes on until stalls are outstanding, a job ends or a round ends. Never waits for the hardware, but may block where the
   * address space does, once in `windows` jobs. @returns STEP_* */
  step(): number {
    switch (this.#state) {
      case BETWEEN_JOBS:
        if (this.#isStopped()) return this.#finish();
        this.#nextWindow();
        return this.#ask();
      case IN_LINE:
        if (this.#isStopped()) return this.#finish();
        return this.#isAdmitted() ? this.#beginJob() : STEP_IN_LINE;
      case TOUCHING:
        if (this.#isStopped()) return this.#finish();
        return this.#touch();
      case WAITING:
        if (!this.#port.isDone()) return STEP_WAITING;
        this.#collect();
        return STEP_BUSY;
      default:
        return STEP_FINISHED;
    }
  }

  /** @returns whether a thread that was waiting need not wait any longer: what its worker looks at before it sleeps. */
  canGoOn(): boolean {
    if (this.#state === IN_LINE) return this.#isAdmitted();
    return this.#state === WAITING && this.#port.isDone();
  }

  #isStopped(): boolean {
    return Atomics.load(this.#words, this.#config.stopAt) !== 0;
  }

  #nextWindow(): void {
    const { windows, pagesPerJob, basePage } = this.#config;
    if (++this.#window === windows) {
      this.#window = 0;
      this.#mm.discard(basePage, windows * pagesPerJob);
    }
    this.#first = basePage + this.#window * pagesPerJob;
  }

  #ask(): number {
    const { admission, clock } = this.#config;
    this.#jobPosted = false;
    if (admission === undefined) return this.#beginJob();
    this.#isPlaced = true;
    this.#askedAt = clock();
    if (admission.ask()) return this.#beginJob();
    this.#book.add(RESULT_WAITED, 1);
    this.#state = IN_LINE;
    return STEP_IN_LINE;
  }

  #isAdmitted(): boolean {
    return this.#config.admission?.isAdmitted() === true;
  }

  /** Writes down how long the job was in line. */
  #endWait(): void {
    const ticks = (this.#config.clock() - this.#askedAt) | 0;
    this.#book.add(RESULT_WAIT_TICKS, ticks);
    this.#book.raise(RESULT_WORST_WAIT, ticks);
  }

  #beginJob(): number {
    if (this.#state === IN_LINE) this.#endWait();
    if (this.#isPlaced) this.#book.add(RESULT_ADMITTED, 1);
    this.#seen.fill(0);
    this.#pass = 0;
    this.#beginPass();
    return this.#touch();
  }

  #giveBack(): void {
    if (!this.#isPlaced) return;
    this.#isPlaced = false;
    this.#config.admission?.end();
  }

  #beginPass(): void {
    this.#left = this.#config.pagesPerJob;
    for (let index = 0; index < this.#left; index++) this.#pending[index] = index;
    this.#firstTouch = this.#config.clock();
    this.#firstRound = true;
    this.#state = TOUCHING;
  }

  /** Accesses what is left; posts what is absent. */
  #touch(): number {
    if (!this.#firstRound && this.#isTooOld()) return this.#endJob(false);
    this.#firstRound = false;
    this.#access();
    if (this.#left === 0) {
      if (++this.#pass === this.#config.passes) return this.#endJob(true);
      this.#beginPass();
      return STEP_BUSY;
    }
    return this.#stall();
  }

  /** Every access under way is as old as the pass. One that completes now is judged as well. */
  #isTooOld(): boolean {
    const age = (this.#config.clock() - this.#firstTouch) | 0;
    this.#book.raise(RESULT_WORST_AGE, age);
    if (age <= this.#config.timeoutTicks) return false;
    this.#book.add(RESULT_TIMEOUTS, 1);
    return true;
  }

  #access(): void {
    const { perm } = this.#config;
    let left = 0;
    for (let at = 0; at < this.#left; at++) {
      const index = this.#pending[at];
      const page = this.#first + index;
      if (this.#mm.translate(pageLo(page), pageHi(page), perm)) this.#seen[index] = 1;
      else this.#pending[left++] = index;
    }
    this.#left = left;
  }

  /** Posts as many as the port and the budget take; the others wait for the next round, and grow older. */
  #stall(): number {
    const { perm, budgetAt } = this.#config;
    const wanted = Math.min(this.#left, this.#port.capacity);
    const granted = budgetAt === 0 ? wanted : claimFaults(this.#words, budgetAt, wanted);
    if (granted === 0) return this.#finish();
    const now = this.#config.clock();
    for (let at = 0; at < granted; at++) {
      const index = this.#pending[at];
      const page = this.#first + index;
      const slot = this.#port.post(pageLo(page), pageHi(page), perm, now);
      if (slot !== at) throw new IommuError('EINVAL', 'DeviceThread', 'slot', slot, `the port's slot ${at} was next`);
      if (this.#seen[index] === 1) this.#book.add(RESULT_REFAULTS, 1);
      this.#seen[index] = 1;
    }
    this.#port.publish();
    this.#stalled = granted;
    this.#book.add(RESULT_POSTED, granted);
    this.#jobPosted = true;
    this.#state = WAITING;
    return STEP_WAITING;
  }

  /** Takes the results of a round. */
  #collect(): void {
    let aborted = 0;
    for (let slot = 0; slot < this.#stalled; slot++) {
      const result = this.#port.result(slot);
      if (result === STALL_ABORT) aborted++;
      else if (result !== STALL_RETRY)
        throw new IommuError('EINVAL', 'DeviceThread', 'result', result, `slot ${slot} was resumed without an answer`);
      histogramRecord(
        this.#words,
        this.#config.histogramAt,
        (this.#port.resumedAt(slot) - this.#port.postedAt(slot)) | 0,
      );
    }
    this.#port.reset();
    this.#book.add(RESULT_ROUNDS, 1);
    this.#book.add(RESULT_ABORTED, aborted);
    this.#book.add(RESULT_RESUMED, this.#stalled - aborted);
    if (this.#config.retries === false) this.#complete(this.#stalled);
    this.#stalled = 0;
    this.#state = TOUCHING;
    if (aborted > 0) this.#endJob(false);
    else this.#book.publish();
  }

  /** Takes the accesses of the round, the first that were left, for done. */
  #complete(count: number): void {
    this.#pending.copyWithin(0, count, this.#left);
    this.#left -= count;
  }

  #endJob(done: boolean): number {
    this.#book.add(done ? RESULT_JOBS : RESULT_FAILED, 1);
    this.#state = BETWEEN_JOBS;
    this.#book.publish();
    this.#giveBack();
    return STEP_BUSY;
  }

  #finish(): number {
    if (this.#state === IN_LINE) this.#endWait();
    if (this.#state === TOUCHING && this.#jobPosted) this.#book.add(RESULT_CUT, 1);
    this.#book.add(RESULT_FINISHED, 1);
    this.#state = FINISHED;
    this.#book.publish();
    this.#giveBack();
    return STEP_FINISHED;
  }
}
