// One measurement on a thread of its own, which no other has taught its types; built as one file, as the fault path runs everywhere.
import { parentPort, workerData } from 'node:worker_threads';
import { timeHeld } from './held.ts';
import { Machine, type MachineOrder } from './machine.ts';
import { type MemoryOrder, timeMemory } from './memory.ts';
import { type RelayOrder, runRelay } from './relay.ts';
import { timeSearches } from './searches.ts';
import { runSleeper, type SleeperOrder } from './sleepers.ts';
import { type CycleOptions, timeStages } from './stages.ts';

export type Task =
  | { readonly kind: 'stages'; readonly order: MachineOrder & CycleOptions }
  | { readonly kind: 'memory'; readonly order: MemoryOrder }
  | { readonly kind: 'search'; readonly generation: 'locked' | 'v7'; readonly timeMs: number }
  | { readonly kind: 'held'; readonly order: MachineOrder; readonly timeMs: number }
  | { readonly kind: 'relay'; readonly order: RelayOrder }
  | { readonly kind: 'sleeper'; readonly order: SleeperOrder };

async function run(task: Task): Promise<unknown> {
  switch (task.kind) {
    case 'stages': {
      const machine = await enabled(task.order);
      return timeStages(machine, task.order.generation !== undefined, task.order);
    }
    case 'memory':
      return timeMemory(task.order);
    case 'search':
      return timeSearches(task.generation, task.timeMs);
    case 'held':
      return timeHeld(await enabled(task.order), task.timeMs);
    case 'relay':
      return runRelay(task.order);
    case 'sleeper':
      await runSleeper(task.order);
      return undefined;
  }
}

async function enabled(order: MachineOrder): Promise<Machine> {
  const machine = new Machine(order);
  await machine.enable();
  return machine;
}

parentPort?.postMessage(await run(workerData as Task));
