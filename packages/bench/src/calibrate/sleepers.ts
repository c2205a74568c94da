// What it costs to wake a thread, and to have a processor go from one to the next: with real threads, who must not be busy else.
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { workerUrl } from '@faultline/core/actor';
import { LINE, mutexLock, mutexUnlock, type Words } from '@faultline/core/sync';
import type { Task } from './calibrate.worker.ts';
import { type Timing, timing } from './stages.ts';

// Shared words, each on a line of its own.
export const READY: number = LINE;
export const GO: number = 2 * LINE;
export const WOKE: number = 3 * LINE; // low half of the clock when it woke; published by DONE
export const DONE: number = 4 * LINE;
export const LOCK: number = 5 * LINE;
export const STOP: number = 6 * LINE;
export const HOPS: number = 7 * LINE;
/** Ring: calls that woke somebody, counted by what they took. The last bin has those in which the caller lost its processor. */
const CALLS: number = 8 * LINE;
const BINS = 256;
const BIN_NS = 100;
/** Ring: a thread's own word. */
export const TOKENS: number = CALLS + BINS;

export type SleeperRole = 'wait' | 'lock' | 'mirror' | 'ring' | 'event loop ring';
export interface SleeperOrder {
  readonly role: SleeperRole;
  readonly words: Words;
  /** Of a ring: its place, and how many there are. */
  readonly place: number;
  readonly count: number;
}

export interface ThreadTimes {
  /** The call that wakes a thread, where a processor is idle: that processor is to be told, too. */
  readonly wake: Timing;
  /** The same call in a ring of threads that leave no processor idle. */
  readonly call: Timing;
  /** From that call until it runs, where a processor is idle. */
  readonly latency: Timing;
  /** Giving up a mutex that a thread sleeps on. */
  readonly unlock: Timing;
  /** A word from one processor to another. */
  readonly transfer: Timing;
  /** Processor time of a thread's going to sleep and the next one's coming, its waking call included. */
  readonly hop: Timing;
  /** The same of threads that sleep in an event loop, as actors' hosts do. */
  readonly loopHop: Timing;
}

/** Long enough for a thread to have gone to sleep, and no longer than one does in a run: processors that idle for long wake slowly. */
const SETTLE_MS = 0.03;
/** Beside other programs a round may take a time slice each way: fewer of them do then. */
const LONGEST_MS = 1500;
const LEAST = 8;
const RING_ROUNDS = 9;
const MAIN = { id: 1, spins: 0 };

export async function timeThreads(repeats: number, ringMs: number): Promise<ThreadTimes> {
  const wakes = await withSleepers('wait', 1, (words) => timeWakes(words, repeats));
  const unlocks = await withSleepers('lock', 1, (words) => timeUnlocks(words, repeats));
  const transfer = await withSleepers('mirror', 1, (words) => timeTransfers(words, repeats));
  // More threads than processors, and a token for each processor: none is ever idle, each hop is a switch.
  const ring = 4 * availableParallelism();
  const { hop, call } = await withSleepers('ring', ring, (words) => timeHops(words, ringMs));
  const { hop: loopHop } = await withSleepers('event loop ring', ring, (words) => timeHops(words, ringMs));
  return {
    wake: timing(wakes.calls),
    latency: timing(wakes.latencies),
    unlock: timing(unlocks),
    transfer,
    hop,
    loopHop,
    call,
  };
}

async function withSleepers<T>(role: SleeperRole, count: number, body: (words: Words) => T | Promise<T>): Promise<T> {
  const words: Words = new Int32Array(new SharedArrayBuffer((TOKENS + count * LINE) * 4));
  const workers = Array.from({ length: count }, (_, place) => {
    const workerData: Task = { kind: 'sleeper', order: { role, words, place, count } };
    return new Worker(workerUrl('calibrate.worker', import.meta.url), { workerData });
  });
  await Promise.all(workers.map((worker) => once(worker, 'online')));
  while (Atomics.load(words, READY) < count) Atomics.wait(words, READY, Atomics.load(words, READY), 10);
  try {
    return await body(words);
  } finally {
    Atomics.store(words, STOP, 1);
    for (const at of [GO, ...workers.map((_, place) => TOKENS + place * LINE)]) {
      Atomics.add(words, at, 1);
      Atomics.notify(words, at);
    }
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function settle(): void {
  const end = performance.now() + SETTLE_MS;
  while (performance.now() < end);
}

function timeWakes(words: Words, repeats: number): { calls: number[]; latencies: number[] } {
  const end = performance.now() + LONGEST_MS;
  const calls: number[] = [];
  const latencies: number[] = [];
  for (let round = 1; round <= repeats && (round <= LEAST || performance.now() < end); round++) {
    settle();
    Atomics.store(words, GO, round);
    const began = process.hrtime.bigint();
    Atomics.notify(words, GO);
    const ended = process.hrtime.bigint();
    while (Atomics.load(words, DONE) < round);
    calls.push(Number(ended - began));
    latencies.push((words[WOKE] - Number(BigInt.asIntN(32, began))) | 0);
  }
  return { calls: calls.slice(calls.length >> 3), latencies: latencies.slice(calls.length >> 3) };
}

function timeUnlocks(words: Words, repeats: number): number[] {
  const end = performance.now() + LONGEST_MS;
  const calls: number[] = [];
  for (let round = 1; round <= repeats && (round <= LEAST || performance.now() < end); round++) {
    mutexLock(words, LOCK, MAIN);
    Atomics.store(words, GO, round);
    Atomics.notify(words, GO);
    settle();
    const began = process.hrtime.bigint();
    mutexUnlock(words, LOCK, MAIN);
    calls.push(Number(process.hrtime.bigint() - began));
    while (Atomics.load(words, DONE) < round) settle();
  }
  return calls.slice(calls.length >> 3);
}

const TRIPS = 50;

function timeTransfers(words: Words, repeats: number): Timing {
  const end = performance.now() + LONGEST_MS;
  const trips: number[] = [];
  let value = 0;
  for (let round = 0; round < repeats && (round < LEAST || performance.now() < end); round++) {
    const began = performance.now();
    for (let i = 0; i < TRIPS; i++) {
      Atomics.store(words, GO, ++value);
      while (Atomics.load(words, DONE) !== value);
    }
    trips.push(((performance.now() - began) * 1e6) / TRIPS / 2);
  }
  return timing(trips);
}

/** Processor time of this process: whatever else the machine does is not in it. */
async function timeHops(words: Words, ringMs: number): Promise<{ hop: Timing; call: Timing }> {
  const tokens = availableParallelism();
  for (let token = 0; token < tokens; token++) {
    const at = TOKENS + token * 4 * LINE;
    Atomics.add(words, at, 1);
    Atomics.notify(words, at);
  }
  const samples: number[] = [];
  const calls: number[] = [];
  for (let round = 0; round <= RING_ROUNDS; round++) {
    const before = process.cpuUsage();
    const hops = Atomics.load(words, HOPS);
    words.fill(0, CALLS, CALLS + BINS);
    Atomics.wait(words, 0, 0, ringMs / RING_ROUNDS);
    const { user, system } = process.cpuUsage(before);
    if (round === 0) continue;
    calls.push(middleCall(words));
    samples.push(((user + system) * 1000) / Math.max(1, (Atomics.load(words, HOPS) - hops) | 0));
  }
  return { hop: timing(samples), call: timing(calls) };
}

/** @returns nanoseconds that half of the calls took at most. */
function middleCall(words: Words): number {
  const bins = words.slice(CALLS, CALLS + BINS);
  const half = bins.reduce((sum, count) => sum + count, 0) / 2;
  let bin = 0;
  for (let seen = bins[0]; seen < half; seen += bins[bin]) bin++;
  return (bin + 0.5) * BIN_NS;
}

/** A sleeper's life. */
export async function runSleeper({ role, words, place, count }: SleeperOrder): Promise<void> {
  Atomics.add(words, READY, 1);
  Atomics.notify(words, READY);
  if (role === 'ring') runRing(words, place, count);
  else if (role === 'event loop ring') await runLoopRing(words, place, count);
  else runRounds(words, role);
}

function runRounds(words: Words, role: SleeperRole): void {
  const self = { id: 2, spins: 0 };
  for (let round = 1; ; round++) {
    if (role === 'mirror') {
      while (Atomics.load(words, GO) !== round) if (Atomics.load(words, STOP) === 1) return;
      Atomics.store(words, DONE, round);
      continue;
    }
    while (Atomics.load(words, GO) < round) Atomics.wait(words, GO, round - 1);
    if (Atomics.load(words, STOP) === 1) return;
    if (role === 'lock') {
      mutexLock(words, LOCK, self);
      mutexUnlock(words, LOCK, self);
    } else words[WOKE] = Number(BigInt.asIntN(32, process.hrtime.bigint()));
    Atomics.store(words, DONE, round);
  }
}

function runRing(words: Words, place: number, count: number): void {
  const own = TOKENS + place * LINE;
  const next = TOKENS + ((place + 1) % count) * LINE;
  for (let seen = 0; ; seen++) {
    while (Atomics.load(words, own) === seen) Atomics.wait(words, own, seen);
    if (Atomics.load(words, STOP) === 1) return;
    Atomics.add(words, HOPS, 1);
    Atomics.add(words, next, 1);
    const began = performance.now();
    const woken = Atomics.notify(words, next);
    const bin = Math.floor(((performance.now() - began) * 1e6) / BIN_NS);
    if (woken > 0) Atomics.add(words, CALLS + Math.min(BINS - 1, bin), 1);
  }
}

/** As a host sleeps: by waitAsync, and after its work with a turn of the event loop. */
async function runLoopRing(words: Words, place: number, count: number): Promise<void> {
  const own = TOKENS + place * LINE;
  const next = TOKENS + ((place + 1) % count) * LINE;
  const alive = setInterval(() => {}, 60_000); // waitAsync keeps no thread alive
  for (let seen = 0; ; seen++) {
    while (Atomics.load(words, own) === seen) {
      const sleep = Atomics.waitAsync(words, own, seen);
      if (sleep.async) await sleep.value;
    }
    if (Atomics.load(words, STOP) === 1) break;
    Atomics.add(words, HOPS, 1);
    Atomics.add(words, next, 1);
    Atomics.notify(words, next);
    await new Promise((resolve) => setImmediate(resolve));
  }
  clearInterval(alive);
}
