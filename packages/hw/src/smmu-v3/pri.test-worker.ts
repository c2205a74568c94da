import { parentPort, workerData } from 'node:worker_threads';
import {
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_TOKEN,
  FAULT_WORDS,
  type FaultReporter,
} from '@faultline/core/iopf';
import type { Words } from '@faultline/core/sync';
import {
  NO_RECORD,
  PRG_SUCCESS,
  PriRequester,
  REQUEST_INVALIDATED,
  REQUEST_LAST,
  REQUEST_READ,
  RESPONSE_CODE,
  RESPONSE_FLAGS,
  RESPONSE_INVALIDATE,
  RESPONSE_PRGI,
} from '../pcie/index.ts';
import { Role, type RoleTask } from '../testing/role.ts';
import { PriqPump, readSmmuStats, SmmuHardware, SmmuOps } from './index.ts';

// One thread of pri.threads.test.ts. Each role ends by itself: when its work is done, when told to stop, or at the deadline. Nobody wakes up by
// a time-out before that: a lost wake-up fails the test.

export interface PriTask extends RoleTask {
  readonly role: 'function' | 'hardware' | 'interrupt' | 'control';
  readonly functions: number;
  readonly func: number;
  readonly groups: number;
  readonly pages: number;
  readonly credits: number;
}

export interface PriOutcome {
  readonly role: PriTask['role'];
  /** Groups answered Success; messages; requests reported; invalidations that were synced. */
  readonly count: number;
  readonly bad: number;
  readonly detail: Record<string, number>;
}

const task = workerData as PriTask;
const role = new Role(task);
const { arena, words } = role;

/** Sends groups within its credits, one group index each until its answer, and completes invalidations. */
function func(): PriOutcome {
  const port = new PriRequester(words, arena.base(`port${task.func}`));
  const wake = role.bell(`wake${task.func}`);
  const busy = new Map<number, number>(); // group index to requests
  const atOnce = Math.floor(task.credits / task.pages);
  let sent = 0;
  let answered = 0;
  let bad = 0;
  const send = (): void => {
    while (sent < task.groups && busy.size < atOnce) {
      const prgi = sent % 512;
      if (busy.has(prgi)) return;
      for (let page = 0; page < task.pages; page++)
        port.post(page, task.func, REQUEST_READ | (page === task.pages - 1 ? REQUEST_LAST : 0), 0, prgi, 0);
      busy.set(prgi, task.pages);
      sent++;
    }
  };
  while (role.live()) {
    for (let at = port.peek(); at !== NO_RECORD; at = port.peek()) {
      const prgi = words[at + RESPONSE_PRGI];
      if ((words[at + RESPONSE_FLAGS] & RESPONSE_INVALIDATE) !== 0) port.post(0, 0, REQUEST_INVALIDATED, 0, prgi, 0);
      else if (words[at + RESPONSE_CODE] === PRG_SUCCESS && busy.delete(prgi)) answered++;
      else bad++;
      port.next();
    }
    port.release();
    send();
    port.publish();
    if (answered === task.groups && Atomics.load(words, arena.base('done') + task.func) === 0) {
      Atomics.store(words, arena.base('done') + task.func, 1);
      Atomics.notify(words, arena.base('done') + task.func);
    }
    if (!port.hasWork()) wake.sleep(() => port.hasWork() || !role.live(), task.deadlineMs);
  }
  return { role: 'function', count: answered, bad, detail: { sent } };
}

function hardware(): PriOutcome {
  const priPorts = Array.from({ length: task.functions }, (_, i) => arena.base(`port${i}`));
  const base = arena.base('smmu');
  const hw = new SmmuHardware(words, base, { ports: [], priPorts, irq: role.bell('irq'), clock: () => 1 });
  const count = role.pump(hw, 'hardware');
  return { role: 'hardware', count, bad: hw.outstanding, detail: readSmmuStats(words, base) };
}

/** Answers each group at the end of its batch; requests that are not the last are counted with their group. */
class Answering implements FaultReporter {
  readonly #words: Words = words;
  readonly #records: number = arena.base('records');
  readonly #ops: SmmuOps;
  readonly #open: Map<number, number> = new Map();
  #due: number[] = [];
  #next = 0;
  count = 0;
  bad = 0;

  constructor(ops: SmmuOps) {
    this.#ops = ops;
  }

  prepareFault(): number {
    return this.#records + this.#next * FAULT_WORDS;
  }

  reportDeviceFault(at: number): number {
    const key = (this.#words[at + FAULT_TOKEN] & 0xffff) * 512 + this.#words[at + FAULT_GRPID];
    const seen = (this.#open.get(key) ?? 0) + 1;
    this.#open.set(key, seen);
    this.count++;
    if ((this.#words[at + FAULT_FLAGS] & FAULT_FLAG_LAST_PAGE) === 0) return 0;
    this.#open.delete(key);
    if (seen !== task.pages) this.bad++;
    this.#due.push(at);
    this.#next++;
    return 0;
  }

  endBatch(): void {
    for (const at of this.#due) this.#ops.pageResponse(at, 0);
    this.#due = [];
    this.#next = 0;
    this.#ops.flushResponses();
  }

  discardPartial(): number {
    return 0;
  }
}

function interrupt(): PriOutcome {
  const smmu = arena.base('smmu');
  const ops = new SmmuOps(words, smmu, 0, { hardwareDoorbell: role.bell('hardware') });
  const reporter = new Answering(ops);
  const pump = new PriqPump(words, smmu, { reporter, ops });
  role.pump(pump, 'irq');
  return { role: 'interrupt', count: reporter.count, bad: reporter.bad, detail: pump.counts() };
}

/** Invalidates the functions' caches all along: each CMD_SYNC waits for completions that come the same way as the requests. */
function control(): PriOutcome {
  const ops = new SmmuOps(words, arena.base('smmu'), 1, { hardwareDoorbell: role.bell('hardware') });
  let count = 0;
  while (role.live() && count < task.groups / 8) {
    for (let i = 0; i < task.functions; i++) ops.invalidateAtc(i, -1, count, 0, 1);
    ops.sync({ id: 3, spins: 10 });
    count++;
  }
  return { role: 'control', count, bad: ops.atcTimeouts, detail: { recovered: ops.recovered } };
}

parentPort?.postMessage({ function: func, hardware, interrupt, control }[task.role]());
