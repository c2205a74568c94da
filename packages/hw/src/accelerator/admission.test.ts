import { Doorbell, doorbellWords, initDoorbell, LINE, type Words } from '@faultline/core/sync';
import { histogramWords } from '@faultline/core/trace';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { STALL_RETRY } from '../smmu-v3/stall-port.ts';
import { Admission, admissionWords, grantPlaces, placesOut } from './admission.ts';
import { initDeviceResults, readDeviceResults } from './device-results.ts';
import {
  type DevicePort,
  DeviceThread,
  STEP_BUSY,
  STEP_FINISHED,
  STEP_IN_LINE,
  STEP_WAITING,
} from './device-thread.ts';

const THREADS = 40;
const BASE: number = (THREADS + 1) * doorbellWords();

/** Places, threads with a doorbell each, and numbers that begin at `start`. */
function open(places: number, start: number): { words: Words; each: Admission[]; rings: (thread: number) => number } {
  const words = new Int32Array(new SharedArrayBuffer((BASE + admissionWords(THREADS)) * 4));
  const bell = (thread: number): number => (thread + 1) * doorbellWords();
  for (let thread = 0; thread < THREADS; thread++) initDoorbell(words, bell(thread));
  grantPlaces(words, BASE, places);
  words[BASE] += start;
  words[BASE + 1] += start;
  const each = Array.from({ length: THREADS }, (_, thread) => new Admission(words, BASE, THREADS, bell(thread)));
  return { words, each, rings: (thread) => new Doorbell(words, bell(thread)).rings() };
}

test('jobs are let in as they asked, each end rings for the one that it lets in, and no more are under way than places', () => {
  const steps = fc.array(fc.nat(THREADS - 1), { minLength: 150, maxLength: 150 });
  const starts = fc.constantFrom(0, 2 ** 31 - 50, -50); // numbers wrap
  const property = fc.property(fc.integer({ min: 1, max: 8 }), starts, steps, (places, start, moves) => {
    const { words, each, rings } = open(places, start);
    const underWay: number[] = [];
    const line: number[] = [];
    for (const thread of moves) {
      if (underWay.includes(thread)) {
        underWay.splice(underWay.indexOf(thread), 1);
        const next = line.shift();
        const before = next === undefined ? 0 : rings(next);
        each[thread].end();
        if (next === undefined) continue;
        expect(rings(next)).toBe(before + 1);
        underWay.push(next);
      } else if (!line.includes(thread)) {
        const isFree = underWay.length < places;
        expect(each[thread].ask()).toBe(isFree);
        (isFree ? underWay : line).push(thread);
      }
    }
    expect(underWay.every((inside) => each[inside].isAdmitted())).toBe(true);
    expect(line.some((outside) => each[outside].isAdmitted())).toBe(false);
    expect(placesOut(words, BASE)).toBe(underWay.length + line.length);
  });
  fc.assert(property, { numRuns: 30 });
});

describe('a job in line', () => {
  const [STOP, BUDGET, RESULTS, HISTOGRAM] = [1, 2, LINE, 2 * LINE];
  const make = () => {
    const words = new Int32Array(new SharedArrayBuffer((2 * LINE + histogramWords()) * 4));
    initDeviceResults(words, RESULTS);
    words[BUDGET] = 2;
    const at = { now: 0, posts: 0, present: false, isDone: false, isOpen: false, ends: 0, postedAt: 0 };
    const port: DevicePort = {
      ...{ capacity: 1, publish: () => {}, reset: () => {}, resumedAt: () => at.now },
      post: () => at.posts++ * 0,
      postedAt: () => at.now,
      isDone: () => at.isDone,
      result: () => STALL_RETRY,
    };
    const thread = new DeviceThread(words, { translate: () => at.present, discard: () => 0 }, port, {
      ...{ basePage: 1, pagesPerJob: 1, windows: 1, passes: 1, perm: 1, timeoutTicks: 100, clock: () => at.now },
      ...{ stopAt: STOP, budgetAt: BUDGET, resultsAt: RESULTS, histogramAt: HISTOGRAM },
      admission: { ask: () => at.isOpen, isAdmitted: () => at.isOpen, end: () => at.ends++ },
    });
    return { words, at, thread, results: () => readDeviceResults(words, RESULTS) };
  };

  test('has issued nothing and grows no older; its wait is written down, and its place comes back', () => {
    const { at, thread, results } = make();
    expect([thread.step(), thread.step(), thread.canGoOn(), at.posts]).toEqual([STEP_IN_LINE, STEP_IN_LINE, false, 0]);
    at.now = 5000; // many time-outs
    at.isOpen = true;
    expect(thread.canGoOn()).toBe(true);
    expect([thread.step(), at.posts, at.ends]).toEqual([STEP_WAITING, 1, 0]);
    at.now = 5090;
    at.isDone = at.present = true;
    expect([thread.step(), thread.step(), at.ends]).toEqual([STEP_BUSY, STEP_BUSY, 1]);
    expect(results()).toMatchObject({ jobs: 1, timeouts: 0, worstAge: 90, admitted: 1, waited: 1 });
    expect(results()).toMatchObject({ waitTicks: 5000, worstWait: 5000 });
  });

  test('that times out, and one that finds no fault left, gives its place back', () => {
    const { at, thread, results, words } = make();
    at.isOpen = at.isDone = true;
    expect(thread.step()).toBe(STEP_WAITING);
    at.now = 101;
    expect([thread.step(), thread.step(), at.ends]).toEqual([STEP_BUSY, STEP_BUSY, 1]);
    expect(results()).toMatchObject({ jobs: 0, timeouts: 1, admitted: 1, waited: 0 });
    words[BUDGET] = 0;
    expect([thread.step(), at.ends]).toEqual([STEP_FINISHED, 2]);
  });

  test('leaves it when all is over, and its wait counts', () => {
    const { at, thread, results, words } = make();
    thread.step();
    at.now = 700;
    words[STOP] = 1;
    expect([thread.step(), at.ends]).toEqual([STEP_FINISHED, 1]);
    expect(results()).toMatchObject({ admitted: 0, waited: 1, worstWait: 700, cut: 0 });
  });
});
