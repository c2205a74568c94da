import { parentPort, workerData } from 'node:worker_threads';
import { Endpoint } from '../pcie/endpoint.ts';
import { STALL_ABORT } from '../smmu-v3/stall-port.ts';
import { Role, type RoleTask } from '../testing/role.ts';
import { AmdHardware, AmdOps } from './index.ts';

// One thread of recovery.threads.test.ts. Each role ends when told to, when done, or at the deadline.

export interface Task extends RoleTask {
  readonly role: 'hardware' | 'issuer' | 'refused';
  readonly number: number;
  readonly rounds: number;
  readonly perRound: number;
}

export interface Outcome {
  readonly role: Task['role'];
  /** Rounds that came to their end. */
  readonly rounds: number;
  /** Bad commands issued by this thread, and overwritten by it: not the same ones. */
  readonly bad: number;
  readonly recovered: number;
  readonly aborted: number;
}

export const DEVICE_ID = 0x20;
export const PASID = 1;
/** Every so many rounds an issuer's batch has a bad command in it. */
export const BAD_EVERY = 8;

const task = workerData as Task;
const role = new Role(task);
const { arena, words } = role;
const clock = (): number => (performance.now() * 10_000) | 0;
const nothing = { role: task.role, rounds: 0, bad: 0, recovered: 0, aborted: 0 };

function hardware(): Outcome {
  const hw = new AmdHardware(words, arena.base('amd'), { ports: [arena.base('port')], irq: role.bell('irq'), clock });
  role.pump(hw, 'hardware');
  return nothing;
}

/** Answers nobody asked for, now and then a bad command among them, and waits for all of them. */
function issuer(): Outcome {
  const self = { id: task.number, spins: 0 };
  const ops = new AmdOps(words, arena.base('amd'), { self, hardwareDoorbell: role.bell('hardware') });
  let [rounds, bad] = [0, 0];
  for (; rounds < task.rounds && role.live(); rounds++) {
    for (let i = 0; i < task.perRound; i++) {
      if (i === task.perRound >> 1 && rounds % BAD_EVERY === task.number) {
        ops.issueRaw(0, 0xf0000000 | 0, 0, 0);
        bad++;
      }
      ops.completePpr(DEVICE_ID, PASID, task.number, 0);
    }
    ops.sync();
  }
  return { ...nothing, rounds, bad, recovered: ops.recovered };
}

/** A device whose requests are all refused, and which goes on asking. */
function refused(): Outcome {
  const [portAt, functionAt, statsAt] = ['port', 'function', 'stats'].map((name) => arena.base(name));
  const endpoint = new Endpoint(words, { portAt, functionAt, statsAt, groupPages: 2, interleave: 4, clock });
  const queue = endpoint.openQueue(PASID, task.perRound);
  const wake = role.bell('wake');
  let [rounds, aborted] = [0, 0];
  for (; rounds < task.rounds && role.live(); rounds++) {
    for (let page = 0; page < task.perRound; page++) queue.post(page, 0, 1, 0);
    queue.publish();
    while (!queue.isDone() && role.live())
      if (endpoint.pump() === 0) wake.sleep(() => endpoint.hasWork() || !role.live(), task.deadlineMs);
    for (let slot = 0; slot < task.perRound; slot++) if (queue.result(slot) === STALL_ABORT) aborted++;
    queue.reset();
  }
  return { ...nothing, rounds, aborted };
}

parentPort?.postMessage({ hardware, issuer, refused }[task.role]());
