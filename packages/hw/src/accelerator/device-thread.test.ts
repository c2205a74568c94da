import { LINE, type Words } from '@faultline/core/sync';
import { HistogramSum, histogramWords, initHistogram } from '@faultline/core/trace';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { STALL_ABORT, STALL_PENDING, STALL_RETRY } from '../smmu-v3/stall-port.ts';
import { initDeviceResults, readDeviceResults } from './device-results.ts';
import {
  type DeviceMemory,
  type DevicePort,
  DeviceThread,
  type DeviceThreadConfig,
  STEP_BUSY,
  STEP_FINISHED,
  STEP_WAITING,
} from './device-thread.ts';

const STOP = 1;
const BUDGET = 2;
const RESULTS: number = LINE;
const HISTOGRAM: number = 2 * LINE;
const WRITE = 2;

/** Pages as a set. Posted ones become present when the test answers them. */
class FakeMemory implements DeviceMemory {
  present: Set<number> = new Set();
  discards: [number, number][] = [];
  translate(lo: number, hi: number): boolean {
    return this.present.has(hi * 2 ** 32 + (lo >>> 0));
  }
  discard(start: number, pages: number): number {
    this.discards.push([start, pages]);
    let dropped = 0;
    for (let page = start; page < start + pages; page++) if (this.present.delete(page)) dropped++;
    return dropped;
  }
}

class FakePort implements DevicePort {
  slots: { page: number; perm: number; posted: number; result: number; resumed: number }[] = [];
  published = false;
  done = true;
  readonly capacity: number;
  constructor(capacity: number) {
    this.capacity = capacity;
  }
  post(lo: number, hi: number, perm: number, tick: number): number {
    if (this.slots.length === this.capacity) return -1;
    this.slots.push({ page: hi * 2 ** 32 + (lo >>> 0), perm, posted: tick, result: STALL_PENDING, resumed: 0 });
    return this.slots.length - 1;
  }
  publish(): void {
    this.published = true;
    this.done = false;
  }
  isDone(): boolean {
    return this.done;
  }
  result(slot: number): number {
    return this.slots[slot].result;
  }
  postedAt(slot: number): number {
    return this.slots[slot].posted;
  }
  resumedAt(slot: number): number {
    return this.slots[slot].resumed;
  }
  reset(): void {
    if (!this.done) throw new Error('reset with stalls outstanding');
    this.slots = [];
    this.published = false;
  }
}

let words: Words;
let memory: FakeMemory;
let port: FakePort;
let now: number;

function make(config: Partial<DeviceThreadConfig> = {}, capacity = 8): DeviceThread {
  port = new FakePort(capacity);
  return new DeviceThread(words, memory, port, {
    basePage: 1000,
    pagesPerJob: 4,
    windows: 2,
    passes: 1,
    perm: WRITE,
    timeoutTicks: 100,
    clock: () => now,
    stopAt: STOP,
    budgetAt: 0,
    resultsAt: RESULTS,
    histogramAt: HISTOGRAM,
    ...config,
  });
}

/** Answers the round: `map` pages become present. */
function answer(resumed = now, map: (page: number) => boolean = () => true, result = STALL_RETRY): void {
  expect(port.published).toBe(true);
  for (const slot of port.slots) {
    slot.result = result;
    slot.resumed = resumed;
    if (map(slot.page)) memory.present.add(slot.page);
  }
  port.done = true;
}
const posted = (): number[] => port.slots.map(({ page }) => page);
const results = (): ReturnType<typeof readDeviceResults> => readDeviceResults(words, RESULTS);

/** Steps until the thread waits or has finished. */
function settle(thread: DeviceThread): number {
  for (let steps = 0; steps < 100; steps++) {
    const found = thread.step();
    if (found !== STEP_BUSY) return found;
  }
  throw new Error('does not settle');
}

function fresh(): void {
  words = new Int32Array(new SharedArrayBuffer((2 * LINE + histogramWords()) * 4));
  initDeviceResults(words, RESULTS);
  initHistogram(words, HISTOGRAM);
  memory = new FakeMemory();
  now = 0;
}
beforeEach(fresh);

describe('a job', () => {
  test('posts what is absent, once, and is done when all of it is there', () => {
    memory.present.add(1001);
    const thread = make();
    expect(thread.step()).toBe(STEP_WAITING);
    expect(posted()).toEqual([1000, 1002, 1003]);
    expect(port.slots.every(({ perm, posted: at }) => perm === WRITE && at === 0)).toBe(true);
    expect([thread.step(), thread.canGoOn()]).toEqual([STEP_WAITING, false]);
    now = 30;
    answer(20);
    expect(thread.canGoOn()).toBe(true);
    expect(thread.step()).toBe(STEP_BUSY); // takes the results
    expect(thread.step()).toBe(STEP_BUSY); // completes
    expect(results()).toMatchObject({ posted: 3, resumed: 3, aborted: 0, rounds: 1, jobs: 1, failed: 0, worstAge: 30 });
    const sum = new HistogramSum();
    sum.add(words, HISTOGRAM);
    expect([...sum.bins()]).toEqual([{ start: 20, end: 21, count: 3 }]);
  });

  test('takes windows in turn, and discards the area when all had theirs', () => {
    const thread = make();
    for (const first of [1000, 1004, 1000, 1004]) {
      expect(settle(thread)).toBe(STEP_WAITING);
      expect(posted()).toEqual([first, first + 1, first + 2, first + 3]);
      answer();
    }
    expect(memory.discards).toEqual([[1000, 8]]);
    expect(settle(thread)).toBe(STEP_WAITING);
    expect(memory.discards).toEqual([
      [1000, 8],
      [1000, 8],
    ]);
    expect(results()).toMatchObject({ jobs: 4, posted: 16, resumed: 16, refaults: 0 });
  });

  test('larger than the port goes in rounds; what waits for a slot is no re-fault', () => {
    const thread = make({}, 3);
    settle(thread);
    expect(posted()).toEqual([1000, 1001, 1002]);
    answer();
    settle(thread);
    expect(posted()).toEqual([1003]);
    answer();
    settle(thread);
    expect(results()).toMatchObject({ jobs: 1, rounds: 2, refaults: 0 });
  });

  test('faults again on pages taken away before it got to them, and counts that', () => {
    const thread = make();
    settle(thread);
    answer(now, (page) => page !== 1002);
    settle(thread);
    expect(posted()).toEqual([1002]);
    answer(now, () => false);
    settle(thread);
    expect(posted()).toEqual([1002]);
    answer();
    settle(thread);
    expect(results()).toMatchObject({ jobs: 1, posted: 6, refaults: 2, rounds: 3 });
  });

  test('goes over its window `passes` times; a page lost between passes is a re-fault, with an age of its own', () => {
    const thread = make({ passes: 2 });
    settle(thread);
    now = 90;
    answer();
    thread.step();
    expect(thread.step()).toBe(STEP_BUSY); // first pass done
    memory.present.delete(1003);
    now = 95;
    expect(thread.step()).toBe(STEP_WAITING);
    expect(posted()).toEqual([1003]);
    now = 180; // 180 after the job's begin, 90 after the pass's
    answer();
    settle(thread);
    expect(results()).toMatchObject({ jobs: 1, failed: 0, refaults: 1, worstAge: 90 });
  });

  test('of which nothing is absent needs no port', () => {
    for (let page = 1000; page < 1008; page++) memory.present.add(page);
    const thread = make();
    expect([thread.step(), thread.step()]).toEqual([STEP_BUSY, STEP_BUSY]);
    expect(results()).toMatchObject({ jobs: 2, posted: 0, worstAge: 0 });
  });

  test('lies anywhere in 52 bits', () => {
    const thread = make({ basePage: 2 ** 32 - 2, windows: 1 });
    settle(thread);
    expect(posted()).toEqual([2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1]);
    make({ basePage: 2 ** 52 - 8 }).step();
    expect(posted()[0]).toBe(2 ** 52 - 8);
  });
});

describe('a job fails', () => {
  test('when one of its stalls is aborted, after all of them are answered; the next goes on', () => {
    const thread = make();
    settle(thread);
    answer();
    port.slots[2].result = STALL_ABORT;
    settle(thread);
    expect(posted()).toEqual([1004, 1005, 1006, 1007]);
    expect(results()).toMatchObject({ failed: 1, timeouts: 0, jobs: 0, resumed: 3, aborted: 1 });
  });

  test('when an access is older than the time-out, whether it is still absent or came too late', () => {
    for (const there of [true, false]) {
      fresh();
      const thread = make();
      settle(thread);
      now = 101;
      answer(now, () => there);
      settle(thread);
      expect(posted()).toEqual([1004, 1005, 1006, 1007]);
      expect(results()).toMatchObject({ failed: 1, timeouts: 1, jobs: 0, worstAge: 101, resumed: 4 });
    }
  });

  test('not at the time-out itself', () => {
    const thread = make();
    settle(thread);
    now = 100;
    answer();
    settle(thread);
    expect(results()).toMatchObject({ failed: 0, jobs: 1, worstAge: 100 });
  });

  test('when waiting for a slot made an access too old: the age counts from the first touch', () => {
    const thread = make({}, 1);
    for (let round = 0; round < 3; round++) {
      settle(thread);
      now += 40;
      answer();
    }
    settle(thread);
    expect(results()).toMatchObject({ failed: 1, timeouts: 1, jobs: 0, rounds: 3, worstAge: 120 });
  });

  test('by a clock that wraps', () => {
    now = 2 ** 31 - 50;
    const thread = make();
    settle(thread);
    now = (now + 100) | 0;
    answer();
    settle(thread);
    expect(results()).toMatchObject({ failed: 0, jobs: 1, worstAge: 100 });
    now = (now + 101) | 0;
    answer();
    settle(thread);
    expect(results()).toMatchObject({ failed: 1, jobs: 1, worstAge: 101 });
  });
});

describe('the end', () => {
  test('asked for between jobs comes before the next one', () => {
    const thread = make();
    settle(thread);
    answer();
    thread.step();
    thread.step();
    words[STOP] = 1;
    expect(settle(thread)).toBe(STEP_FINISHED);
    expect(results()).toMatchObject({ jobs: 1, cut: 0, finished: true, posted: 4, resumed: 4 });
    expect(thread.step()).toBe(STEP_FINISHED);
  });

  test('asked for during a round comes when the round is answered, and cuts the job', () => {
    const thread = make();
    settle(thread);
    words[STOP] = 1;
    expect(thread.step()).toBe(STEP_WAITING);
    expect(results().finished).toBe(false);
    answer();
    expect(settle(thread)).toBe(STEP_FINISHED);
    expect(results()).toMatchObject({ jobs: 0, failed: 0, cut: 1, posted: 4, resumed: 4, finished: true });
  });

  test('asked for before the first step posts nothing', () => {
    words[STOP] = 1;
    expect(make().step()).toBe(STEP_FINISHED);
    expect(results()).toMatchObject({ posted: 0, cut: 0, finished: true });
  });

  test('of the budget comes exactly: not a fault more or less, whatever is wanted', () => {
    words[BUDGET] = 6;
    const thread = make({ budgetAt: BUDGET });
    settle(thread);
    answer();
    settle(thread);
    expect(posted()).toEqual([1004, 1005]);
    answer();
    expect(settle(thread)).toBe(STEP_FINISHED);
    expect(results()).toMatchObject({ posted: 6, resumed: 6, jobs: 1, cut: 1, finished: true });
  });

  test('of the budget between jobs cuts none', () => {
    words[BUDGET] = 4;
    const thread = make({ budgetAt: BUDGET });
    settle(thread);
    answer();
    expect(settle(thread)).toBe(STEP_FINISHED);
    expect(results()).toMatchObject({ posted: 4, jobs: 1, cut: 0 });
  });
});

test('books balance under any answers: posted = resumed + aborted, jobs = windows begun', () => {
  const round = fc.record({
    lost: fc.integer({ min: 0, max: 15 }),
    aborted: fc.integer({ min: 0, max: 20 }),
    ticks: fc.integer({ min: 0, max: 120 }),
  });
  fc.assert(
    fc.property(
      fc.array(round, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 0, max: 60 }),
      (rounds, capacity, passes, budget) => {
        fresh();
        words[BUDGET] = budget;
        const thread = make({ passes, budgetAt: budget === 0 ? 0 : BUDGET }, capacity);
        let count = 0;
        for (const { lost, aborted, ticks } of rounds) {
          if (settle(thread) === STEP_FINISHED) break;
          count += port.slots.length;
          now += ticks;
          answer(now, (page) => (lost >> (page % 4)) % 2 === 0);
          if (aborted < port.slots.length) port.slots[aborted].result = STALL_ABORT;
        }
        words[STOP] = 1;
        expect(settle(thread)).toBe(STEP_FINISHED);
        const { posted: all, resumed, aborted, refaults, jobs, failed, timeouts, cut } = results();
        expect(all).toBe(count);
        expect(all).toBe(resumed + aborted);
        expect(refaults).toBeLessThanOrEqual(all);
        expect(timeouts + aborted).toBe(failed);
        expect(jobs + failed + cut).toBeGreaterThan(0);
        expect(cut).toBeLessThanOrEqual(1);
        if (budget > 0) expect(all).toBeLessThanOrEqual(budget);
      },
    ),
  );
});

test('without retries a resumed access is done, mapped or not; the others wait for their round', () => {
  fresh();
  const thread = make({ passes: 1, retries: false }, 3);
  settle(thread);
  for (let round = 0; results().jobs === 0; round++) {
    expect(round).toBeLessThan(8);
    answer(now, () => false);
    settle(thread);
  }
  const { posted: all, refaults } = results();
  expect(refaults).toBe(0);
  expect(all).toBeGreaterThanOrEqual(4); // the pages of a job
});

describe('what should not be is refused:', () => {
  test('bad configuration, by name', () => {
    const bad: [keyof DeviceThreadConfig, number[]][] = [
      ['pagesPerJob', [0, 1.5, -1]],
      ['windows', [0, 0.5]],
      ['passes', [0]],
      ['basePage', [-1, 0.5, 2 ** 52 - 7]],
      ['perm', [0, 16]],
      ['timeoutTicks', [0, 2 ** 31]],
      ['stopAt', [0, 1e9]],
      ['budgetAt', [-1, 1e9]],
      ['resultsAt', [0, 1e9]],
      ['histogramAt', [0, 1e9]],
    ];
    for (const [field, values] of bad)
      for (const value of values)
        expect(() => make({ [field]: value })).toThrow(
          expect.objectContaining({ name: 'IommuError', code: 'EINVAL', field }) as Error,
        );
  });

  test('a round that is done without an answer', () => {
    const thread = make();
    settle(thread);
    answer(now, () => true, STALL_PENDING);
    expect(() => thread.step()).toThrow('resumed without an answer');
  });

  test('a port that gives out other slots than its next', () => {
    const thread = make();
    port.slots.push({ page: 0, perm: 0, posted: 0, result: 0, resumed: 0 });
    expect(() => settle(thread)).toThrow("the port's slot 0 was next");
  });
});
