// The machine's stages, each on the thread that it has in a run: what a stage reads another thread has written, on whatever processor it
// was. One runs at a time, so that each stage's time is its own.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { workerUrl } from '@faultline/core/actor';
import { Arena, type SharedArena } from '@faultline/core/memory';
import type { Task } from './calibrate.worker.ts';
import { layOutMachine, Machine, type MachineOrder, type MachineRole } from './machine.ts';
import { type CycleOptions, keep, type Samples, type StageTimes, stageTimesOf } from './stages.ts';

type CrewRole = Exclude<MachineRole, 'all'>;
const CREW: readonly CrewRole[] = ['device', 'hardware', 'interrupt', 'handler', 'other handler'];

/** What the turns of a cycle are like: filled or of one item, with pages that are absent or taken by the scanner. */
const KINDS = ['', '1', 'Taken'] as const;

interface Step {
  readonly name: string;
  readonly role: (cycle: number) => CrewRole;
  readonly run: (machine: Machine, budget: number | undefined) => void;
}

const always = (role: CrewRole) => (): CrewRole => role;
/** Handlers take turns: a page is zeroed by one that had not zeroed it last. */
const handlerOf = (cycle: number): CrewRole =>
  Math.floor(cycle / KINDS.length) % 2 === 0 ? 'handler' : 'other handler';

const STEPS: readonly Step[] = [
  { name: 'stall', role: always('device'), run: (machine) => machine.stall() },
  { name: 'record', role: always('hardware'), run: (machine, budget) => machine.hardware(budget) },
  { name: 'report', role: always('interrupt'), run: (machine, budget) => machine.report(budget) },
  { name: 'handle', role: handlerOf, run: (machine, budget) => machine.handle(budget) },
  { name: 'resume', role: always('hardware'), run: (machine, budget) => machine.hardware(budget) },
  { name: 'collect', role: always('device'), run: (machine) => machine.collect() },
  { name: 'touch', role: always('device'), run: (machine) => machine.touch() },
];

const OVER = -1;

export interface RelayOrder extends MachineOrder, CycleOptions {
  readonly role: Exclude<MachineRole, 'all'>;
  readonly shared: SharedArena;
}

/** Times each stage on its own thread. Rejects with what a thread throws, or once the signal is aborted. */
export async function timeRelay(order: MachineOrder & CycleOptions, signal: AbortSignal): Promise<StageTimes> {
  const arena = layOutMachine(order);
  const workers = CREW.map((role) => {
    const workerData: Task = { kind: 'relay', order: { ...order, role, shared: arena.share() } };
    return new Worker(workerUrl('calibrate.worker', import.meta.url), { workerData });
  });
  try {
    const told = (await Promise.all(workers.map((worker) => once(worker, 'message', { signal })))) as [Samples][];
    const samples: Samples = {};
    for (const [part] of told) for (const [name, values] of Object.entries(part)) keep(samples, name, ...values);
    return stageTimesOf(samples);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** One of the threads. Each waits on a word of its own for the number of its next turn. */
export async function runRelay(order: RelayOrder): Promise<Samples> {
  const { role, warmupMs, timeMs } = order;
  const arena = Arena.open(order.shared);
  const machine = new Machine(order, arena, role);
  const { words } = arena;
  const wordOf = (of: CrewRole): number => arena.base('turn') + CREW.indexOf(of);
  const tell = (of: CrewRole, turn: number): void => {
    Atomics.store(words, wordOf(of), turn);
    Atomics.notify(words, wordOf(of));
  };
  const attached = arena.base('turn') + CREW.length;
  if (role === 'interrupt') {
    const alive = setInterval(() => {}, 60_000); // the driver's waits keep no thread alive
    await machine.attach();
    clearInterval(alive);
    Atomics.store(words, attached, 1);
    tell('device', 1);
  } else if (role === 'hardware') while (Atomics.load(words, attached) === 0) machine.hardware(1);

  const samples: Samples = {};
  const began = performance.now();
  for (let turn = 1; ; turn++) {
    const { step, cycle, owner } = turnOf(turn);
    if (owner !== role) continue;
    for (let seen = Atomics.load(words, wordOf(role)); seen !== turn; seen = Atomics.load(words, wordOf(role))) {
      if (seen === OVER) return samples;
      Atomics.wait(words, wordOf(role), seen);
    }
    if (step === STEPS[0] && performance.now() > began + warmupMs + timeMs) {
      for (const each of CREW) tell(each, OVER);
      return samples;
    }
    const kind = KINDS[cycle % KINDS.length];
    const start = performance.now();
    step.run(machine, kind === '1' ? 1 : undefined);
    const ns = ((performance.now() - start) * 1e6) / machine.faults;
    if (start > began + warmupMs) keep(samples, step.name + kind, ns);
    if (step.name === 'touch') {
      machine.touch(); // the second pass: ends the job
      if (KINDS[(cycle + 1) % KINDS.length] === 'Taken') machine.take();
      else machine.discard();
    }
    tell(turnOf(turn + 1).owner, turn + 1);
  }
}

function turnOf(turn: number): { step: Step; cycle: number; owner: CrewRole } {
  const cycle = Math.floor((turn - 1) / STEPS.length);
  const step = STEPS[(turn - 1) % STEPS.length];
  return { step, cycle, owner: step.role(cycle) };
}
