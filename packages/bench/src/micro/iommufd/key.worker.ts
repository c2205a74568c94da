// One thread of the keys' benchmark: gives out and takes back the keys of its own groups.
import { parentPort, workerData } from 'node:worker_threads';
import { Arena, IopfSystem, type SharedArena } from '@faultline/core';
import { GROUPS, groupOf, type KeyKind, openKeys, START_REGION } from './keys.ts';

export interface KeyTask {
  readonly shared: SharedArena;
  readonly kind: KeyKind;
  readonly thread: number;
  readonly threads: number;
  /** Keys to give out. */
  readonly keys: number;
}

const { shared, kind, thread, threads, keys: count } = workerData as KeyTask;
const arena = Arena.open(shared);
const { words } = arena;
const start = arena.base(START_REGION);
const keys = openKeys(arena, new IopfSystem(arena, { id: thread + 1, spins: 0 }), kind);
const out = new Int32Array(GROUPS);

function round(rounds: number): void {
  for (let done = 0; done < rounds; done++) {
    for (let i = 0; i < GROUPS; i++) {
      const group = groupOf(thread, i);
      out[i] = keys.reserve(group);
      keys.publish(out[i], group);
    }
    for (let i = 0; i < GROUPS; i++) {
      const group = keys.redeem(out[i]);
      if (group !== groupOf(thread, i)) throw new Error(`key ${out[i]} gave group ${group}`);
    }
  }
}

const rounds = Math.ceil(count / GROUPS);
round(Math.ceil(rounds / 10)); // compiled, before the others are waited for
if (Atomics.add(words, start, 1) + 1 === threads) Atomics.notify(words, start);
for (let seen = Atomics.load(words, start); seen < threads; seen = Atomics.load(words, start))
  Atomics.wait(words, start, seen, 5);
const began = Number(process.hrtime.bigint());
round(rounds);
parentPort?.postMessage([began, Number(process.hrtime.bigint())]);
