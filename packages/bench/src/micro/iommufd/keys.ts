// What a group is answered by: a cookie of ours, or the device's own number for it. What each costs, and what a hostile device makes of it.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import {
  Arena,
  FAULT_DEVICE,
  FAULT_GRPID,
  FAULT_PAGE_LO,
  type IommuOps,
  IopfSystem,
  LINE,
  planArena,
  REQUEST_WORDS,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
  workerUrl,
} from '@faultline/core';
import {
  CookieTable,
  FaultQueue,
  type GroupKeys,
  GroupKeyTable,
  groupKeyTableWords,
  initIommufd,
  iommufdRegions,
} from '@faultline/iommufd';
import { FAULT_QUEUE, machineConfig } from '../../stress/user-space/machine.ts';
import { SELF } from '../costs/subject.ts';
import { type Figures, figuresOf } from '../figures.ts';
import { openRig, Trigger } from './fault-rig.ts';
import type { KeyTask } from './key.worker.ts';

export const KEY_KINDS = ['cookie', 'group id'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];
export const KEY_THREADS: readonly number[] = [1, 2, 8];

const MOST_THREADS = 8;
/** Groups that a thread has, each given out and answered in turn. */
export const GROUPS = 64;
export const KEYS_REGION = 'keys';
export const START_REGION = 'start';

const CONFIG = machineConfig({
  ...{ devices: MOST_THREADS, domains: 1, threads: MOST_THREADS, requests: MOST_THREADS * GROUPS, workEntries: 64 },
  sharing: 'split',
  checked: false,
});

function makeArena(): Arena {
  const arena = Arena.create(
    planArena([
      ...iommufdRegions(CONFIG),
      { name: KEYS_REGION, words: groupKeyTableWords(MOST_THREADS) },
      { name: START_REGION, words: LINE },
    ]),
  );
  initIommufd(arena, CONFIG);
  return arena;
}

export function openKeys(arena: Arena, system: IopfSystem, kind: KeyKind): GroupKeys {
  return kind === 'cookie'
    ? new CookieTable(arena.words, arena.base('iommufd.fault-queues'))
    : new GroupKeyTable(system, arena.base(KEYS_REGION));
}

/** Group `i` of a thread, from 0. A device a thread. */
export function groupOf(thread: number, i: number): number {
  return 1 + thread * GROUPS + i;
}

/** Keys given out and redeemed a second, by all threads together. */
export interface KeyRow extends Figures {
  readonly kind: KeyKind;
  readonly threads: number;
}

export interface KeyOptions {
  readonly repeats: number;
  /** Keys of each thread in a repeat. */
  readonly keys: number;
}

/** Measures both kinds on so many threads, in turns. */
export async function measureKeys(threads: number, { repeats, keys }: KeyOptions): Promise<KeyRow[]> {
  const rates: Record<KeyKind, number[]> = { cookie: [], 'group id': [] };
  for (let repeat = 0; repeat <= repeats; repeat++)
    for (const kind of KEY_KINDS) {
      const rate = await measureOnce(kind, threads, keys);
      if (repeat > 0) rates[kind].push(rate); // the first one warms the machine up
    }
  return KEY_KINDS.map((kind) => ({ kind, threads, ...figuresOf(rates[kind]) }));
}

async function measureOnce(kind: KeyKind, threads: number, keys: number): Promise<number> {
  const arena = makeArena();
  const { words } = arena;
  const objects = new IopfSystem(arena, SELF).requests.objects;
  for (let thread = 0; thread < threads; thread++)
    for (let i = 0; i < GROUPS; i++) {
      words[objects + groupOf(thread, i) * REQUEST_WORDS + FAULT_DEVICE] = 1 + thread;
      words[objects + groupOf(thread, i) * REQUEST_WORDS + FAULT_GRPID] = i;
    }
  const workers = Array.from({ length: threads }, (_, thread) => {
    const workerData: KeyTask = { shared: arena.share(), kind, thread, threads, keys };
    return new Worker(workerUrl('key.worker', import.meta.url), { workerData });
  });
  const ends = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as [number, number]));
  await Promise.all(workers.map((worker) => worker.terminate()));
  const ns = Math.max(...ends.map(([, end]) => end)) - Math.min(...ends.map(([begin]) => begin));
  return (threads * keys * 1e9) / ns;
}

/** What became of pairs of groups that a device sent under one number. */
export interface HostileRow {
  readonly kind: KeyKind;
  readonly pairs: number;
  /** Answers that another group got than the one that they were meant for. */
  readonly astray: number;
  /** Right answers that were refused. */
  readonly refused: number;
  /** Groups that were never answered. */
  readonly unanswered: number;
}

const PAIRS = 100;

/** A device sends two groups under one number, while the first is unanswered. User space allows the first, refuses the second, and answers
 * that one first. */
export function attack(kind: KeyKind): HostileRow {
  const arena = makeArena();
  const given = new Map<number, number>();
  const ops: IommuOps = {
    pageResponse: (recordAt, code) => void given.set(arena.words[recordAt + FAULT_PAGE_LO], code),
    flushResponses() {},
  };
  const machine = openRig(arena, SELF, ops);
  const { system, path } = machine;
  system.reader.online();
  const trigger = new Trigger(machine, () => 7);
  const keys = openKeys(arena, system, kind);
  const queue = new FaultQueue({ system, path, ops, base: machine.faultQueueAt(FAULT_QUEUE), keys });
  let refused = 0;
  for (let pair = 0; pair < PAIRS; pair++) {
    trigger.report(2);
    const first = queue.next();
    const second = queue.next();
    for (const [key, code] of [
      [second, RESPONSE_INVALID],
      [first, RESPONSE_SUCCESS],
    ] as const) {
      try {
        queue.respond(key, code);
      } catch {
        refused++; // its group got the other's answer, or is nowhere
      }
    }
  }
  // Pages count up: even ones are the first of their pair.
  const astray = [...given].filter(([page, code]) => (page % 2 === 0) !== (code === RESPONSE_SUCCESS)).length;
  return { kind, pairs: PAIRS, astray, refused, unanswered: 2 * PAIRS - given.size };
}
