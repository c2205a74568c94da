import { parentPort, workerData } from 'node:worker_threads';
import { HandlerThread, IopfSystem, openFaultPath, WorkSink, WorkSource } from '@faultline/core/iopf';
import { Endpoint } from '../pcie/endpoint.ts';
import { STALL_RETRY } from '../smmu-v3/stall-port.ts';
import { Role, type RoleTask } from '../testing/role.ts';
import { AmdHardware, AmdOps } from './index.ts';

// One thread of amd.threads.test.ts. Each role ends when told to, or at the deadline. Nobody but the handlers wakes up by a time-out before
// that: a lost wake-up fails the test.

export interface Task extends RoleTask {
  readonly role: 'device' | 'hardware' | 'handler';
  readonly devices: number;
  /** Place of the device, or id of the handler. */
  readonly number: number;
  readonly rounds: number;
  readonly perRound: number;
}

/** What a role counted. */
export interface Outcome {
  readonly role: Task['role'];
  readonly number: number;
  readonly retried: number;
  readonly aborted: number;
}

export const PASID = 1;

const task = workerData as Task;
const role = new Role(task);
const { arena, words } = role;
const clock = (): number => (performance.now() * 10_000) | 0;

function device(): Outcome {
  const { number } = task;
  const [portAt, functionAt, statsAt] = ['port', 'function', 'stats'].map((name) => arena.base(`${name}${number}`));
  const endpoint = new Endpoint(words, { portAt, functionAt, statsAt, groupPages: 3, interleave: 2, clock });
  const queue = endpoint.openQueue(PASID, task.perRound);
  const wake = role.bell(`wake${number}`);
  const progress = arena.base('progress') + number;
  let retried = 0;
  let aborted = 0;
  const turn = (): void => {
    if (endpoint.pump() === 0) wake.sleep(() => endpoint.hasWork() || !role.live(), task.deadlineMs);
  };
  for (let round = 0; round < task.rounds && aborted === 0 && role.live(); round++) {
    for (let page = 0; page < task.perRound; page++) queue.post(round * task.perRound + page, number, 1, 0);
    queue.publish();
    while (!queue.isDone() && role.live()) turn();
    for (let slot = 0; slot < task.perRound; slot++)
      if (queue.result(slot) === STALL_RETRY) retried++;
      else aborted++;
    queue.reset();
    Atomics.store(words, progress, round + 1);
  }
  Atomics.store(words, progress, task.rounds);
  while (role.live()) turn(); // invalidations are still to be completed
  return { role: 'device', number, retried, aborted };
}

function hardware(): Outcome {
  const ports = Array.from({ length: task.devices }, (_, i) => arena.base(`port${i}`));
  const hw = new AmdHardware(words, arena.base('amd'), { ports, irq: role.bell('irq'), clock });
  role.pump(hw, 'hardware');
  return { role: 'hardware', number: 0, retried: 0, aborted: 0 };
}

function handler(): Outcome {
  const self = { id: task.number, spins: 0 };
  const system = new IopfSystem(arena, self);
  const ops = new AmdOps(words, arena.base('amd'), { self, hardwareDoorbell: role.bell('hardware') });
  const path = openFaultPath('lockless', system, ops, new WorkSink(system));
  const thread = new HandlerThread({ system, path, ops, work: new WorkSource(system, self, 2, 16), mms: [] });
  system.reader.online();
  while (role.live()) if (thread.step() === 0) thread.park(5);
  while (thread.step() !== 0);
  path.close();
  return { role: 'handler', number: task.number, retried: 0, aborted: 0 };
}

parentPort?.postMessage({ device, hardware, handler }[task.role]());
