// Events between two actors of a real ActorSystem, one host a thread: its own harness, as the system makes its own threads.
import { Arena, LINE, planArena, workerUrl } from '@faultline/core';
import { ActorSystem, actorRegions, initActorRegions } from '@faultline/core/actor';
import { figuresOf } from '../figures.ts';
import { DONE, ELAPSED_NS, ELAPSED_S, GO, HOP, HOPS_REGION, type HopData } from './hop.worker.ts';
import type { PairOptions, PairRow } from './measure.ts';
import { MOST_TRIPS, warmUp } from './warm-up.ts';

const MAILBOX_ENTRIES = 64;
const FIRST_TRIPS = 16;
/** Between awake hosts, two hops each. Fewer leave xstate's transition in the interpreter. */
const LEAST_TRIPS = 5000;
const ROUND_LIMIT_MS = 120_000;
/** More empty rounds than a benchmark lasts: the host never sleeps, and still takes its turns of the event loop. */
const AWAKE = 2 ** 30;

interface HopCase {
  readonly name: string;
  readonly xstate: boolean;
  readonly spins: number;
}

const HOP_CASES: readonly HopCase[] = [
  { name: 'actor event, hosts awake', xstate: false, spins: AWAKE },
  { name: 'actor event and xstate transition, hosts awake', xstate: true, spins: AWAKE },
  { name: 'actor event, hosts asleep', xstate: false, spins: 0 },
];

/** Measures actor events, there and back. @param leastTrips of a round between awake hosts.
 * @throws Error when a round does not end */
export async function measureHops(options: PairOptions, leastTrips: number = LEAST_TRIPS): Promise<PairRow[]> {
  const rows: PairRow[] = [];
  for (const each of HOP_CASES)
    rows.push(await measureCase(each, options, each.spins === AWAKE ? leastTrips : FIRST_TRIPS));
  return rows;
}

async function measureCase(hops: HopCase, { repeats, roundMs }: PairOptions, leastTrips: number): Promise<PairRow> {
  const arena = Arena.create(planArena([...actorRegions(2, MAILBOX_ENTRIES), { name: HOPS_REGION, words: LINE }]));
  initActorRegions(arena, 2, MAILBOX_ENTRIES);
  const system = await startHosts(arena, hops);
  try {
    const seconds = async (trips: number): Promise<number> => (await round(system, arena, trips)) / 1e9;
    const trips = await warmUp(leastTrips, roundMs, seconds, MOST_TRIPS);
    const figures: number[] = [];
    for (let repeat = 0; repeat < repeats; repeat++) figures.push((await round(system, arena, trips)) / trips);
    return { name: hops.name, kind: 'round trip', items: trips, ...figuresOf(figures) };
  } finally {
    await system.stop();
  }
}

function startHosts(arena: Arena, { xstate, spins }: HopCase): Promise<ActorSystem> {
  const setup = workerUrl('hop.worker', import.meta.url);
  const ping: HopData = { self: 'ping', other: 'pong', xstate };
  const pong: HopData = { self: 'pong', other: 'ping', xstate };
  return ActorSystem.start({
    arena,
    hosts: [
      { name: 'near', setup, data: ping, self: { id: 1, spins } },
      { name: 'far', setup, data: pong, self: { id: 2, spins } },
    ],
    actors: { start: { id: 1, host: 'near' }, ping: { id: 2, host: 'near' }, pong: { id: 3, host: 'far' } },
    events: [GO, HOP],
  });
}

/** @returns nanoseconds by the first host's clock: this thread's own waking is not in them. */
async function round(system: ActorSystem, arena: Arena, trips: number): Promise<number> {
  const { words } = arena;
  const at = arena.base(HOPS_REGION);
  const done = Atomics.load(words, at + DONE);
  system.send('start', GO, trips);
  const wait = Atomics.waitAsync(words, at + DONE, done, ROUND_LIMIT_MS);
  if (wait.async && (await wait.value) === 'timed-out') throw new Error(`hops: ${trips} round trips did not end`);
  Atomics.load(words, at + DONE); // [C]
  return words[at + ELAPSED_S] * 1e9 + words[at + ELAPSED_NS];
}
