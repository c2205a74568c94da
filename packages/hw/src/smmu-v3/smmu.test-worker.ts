import { parentPort, workerData } from 'node:worker_threads';
import { FAULT_GRPID, FAULT_TOKEN, FAULT_WORDS, type FaultReporter } from '@faultline/core/iopf';
import type { Words } from '@faultline/core/sync';
import { Role, type RoleTask } from '../testing/role.ts';
import { EventPump, RESUME_RETRY, SmmuHardware, SmmuOps, STALL_RETRY, StallPort } from './index.ts';

// One thread of smmu.threads.test.ts. Each role ends by itself: when its work is done, when told to stop, or at the deadline.
// Nobody wakes up by a time-out before that: a lost wake-up fails the test.

export interface Task extends RoleTask {
  readonly role: 'device' | 'hardware' | 'interrupt';
  readonly ports: number;
  readonly port: number;
  readonly faults: number;
  readonly perRound: number;
}

/** What a role counted. */
export interface Outcome {
  readonly role: Task['role'];
  readonly count: number;
  readonly bad: number;
  readonly pumpCounts?: Record<string, number>;
}

const task = workerData as Task;
const role = new Role(task);
const { arena, words } = role;

function device(): Outcome {
  const port = new StallPort(words, arena.base(`port${task.port}`));
  const wake = role.bell(`wake${task.port}`);
  let posted = 0;
  let bad = 0;
  while (posted < task.faults && role.live()) {
    const round = Math.min(1 + (posted % task.perRound), task.faults - posted);
    for (let i = 0; i < round; i++) port.post(posted++, task.port, 2, 0);
    port.publish();
    while (!port.isDone() && role.live()) wake.sleep(() => port.isDone(), task.deadlineMs);
    if (!port.isDone()) return { role: 'device', count: posted - round, bad };
    for (let slot = 0; slot < round; slot++) if (port.result(slot) !== STALL_RETRY) bad++;
    port.reset();
  }
  return { role: 'device', count: posted, bad };
}

function hardware(): Outcome {
  const ports = Array.from({ length: task.ports }, (_, i) => arena.base(`port${i}`));
  const hw = new SmmuHardware(words, arena.base('smmu'), { ports, irq: role.bell('irq'), clock: () => 1 });
  const count = role.pump(hw, 'hardware');
  return { role: 'hardware', count, bad: hw.outstanding };
}

/** Pumps, and answers each fault at the end of its batch. Faults are checked: each page of each stream once and in order. */
class Answering implements FaultReporter {
  readonly #words: Words;
  readonly #records: number;
  readonly #ops: SmmuOps;
  readonly #next: Map<number, number> = new Map();
  #batch = 0;
  count = 0;
  bad = 0;

  constructor(ops: SmmuOps) {
    this.#words = words;
    this.#records = arena.base('records');
    this.#ops = ops;
  }

  prepareFault(): number {
    return this.#records + this.#batch * FAULT_WORDS;
  }

  reportDeviceFault(at: number): number {
    const stream = this.#words[at + FAULT_TOKEN];
    const page = this.#words[at + 5];
    if (page !== (this.#next.get(stream) ?? 0) || this.#words[at + 6] + 1 !== stream) this.bad++;
    this.#next.set(stream, page + 1);
    this.#batch++;
    this.count++;
    return 0;
  }

  endBatch(): void {
    for (let i = 0; i < this.#batch; i++) {
      const at = this.#records + i * FAULT_WORDS;
      this.#ops.resume(this.#words[at + FAULT_TOKEN], this.#words[at + FAULT_GRPID], RESUME_RETRY);
    }
    this.#batch = 0;
    this.#ops.flushResponses();
  }
}

function interrupt(): Outcome {
  const smmu = arena.base('smmu');
  const hardwareDoorbell = role.bell('hardware');
  const reporter = new Answering(new SmmuOps(words, smmu, 1, { hardwareDoorbell }));
  const ops = new SmmuOps(words, smmu, 0, { hardwareDoorbell });
  const pump = new EventPump(words, smmu, { reporter, ops });
  role.pump(pump, 'irq');
  return { role: 'interrupt', count: reporter.count, bad: reporter.bad, pumpCounts: pump.counts() };
}

parentPort?.postMessage({ device, hardware, interrupt }[task.role]());
