import { parentPort, workerData } from 'node:worker_threads';
import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_TOKEN,
  FAULT_WORDS,
} from '@faultline/core/iopf';
import type { Words } from '@faultline/core/sync';
import {
  NO_RECORD,
  PRG_SUCCESS,
  PriRequester,
  REQUEST_INVALIDATED,
  REQUEST_LAST,
  REQUEST_PASID_VALID,
  REQUEST_WRITE,
  RESPONSE_CODE,
  RESPONSE_FLAGS,
  RESPONSE_INVALIDATE,
  RESPONSE_PRGI,
} from '../pcie/index.ts';
import { Role, type RoleTask } from '../testing/role.ts';
import { EventPump, type EventPumpConfig, VtdHardware, VtdOps } from './index.ts';

// One thread of vtd.threads.test.ts. Each role ends by itself: when everybody's work is done, or at the deadline. Nobody wakes up by a
// time-out before that: a lost wake-up fails the test.

export interface Task extends RoleTask {
  readonly role: 'device' | 'hardware' | 'interrupt' | 'control';
  readonly devices: number;
  readonly device: number;
  /** Groups that each device sends, of two pages each. */
  readonly groups: number;
  /** Batches of invalidations with a wait each. */
  readonly syncs: number;
}

/** What a role counted. */
export interface Outcome {
  readonly role: Task['role'];
  readonly count: number;
  readonly bad: number;
  readonly pumpCounts?: Record<string, number>;
}

const PASID = 5;
const task = workerData as Task;
const role = new Role(task);
const { arena, words } = role;
const leftAt = arena.base('left');
const isOver = (): boolean => Atomics.load(words, leftAt) === 0 || performance.now() >= role.deadline;
const bells = ['irq', 'hardware', ...Array.from({ length: task.devices }, (_, i) => `wake${i}`)];

/** This role's work is done; the last one's end is everybody's. */
function finish(): void {
  if (Atomics.sub(words, leftAt, 1) === 1) for (const name of bells) role.bell(name).ring();
}

/** Sends groups of two pages, each index in use once at a time; answers invalidations, until all roles are done. */
function device(): Outcome {
  const port = new PriRequester(words, arena.base(`port${task.device}`));
  const wake = role.bell(`wake${task.device}`);
  const isOut = new Uint8Array(512);
  const completions: number[] = [];
  let sent = 0;
  let answered = 0;
  let bad = 0;
  while (!isOver()) {
    for (let at = port.peek(); at !== NO_RECORD; at = port.peek()) {
      const prgi = words[at + RESPONSE_PRGI];
      if ((words[at + RESPONSE_FLAGS] & RESPONSE_INVALIDATE) !== 0) completions.push(prgi);
      else {
        if (isOut[prgi] !== 1 || words[at + RESPONSE_CODE] !== PRG_SUCCESS) bad++;
        isOut[prgi] = 0;
        if (++answered === task.groups) finish();
      }
      port.next();
    }
    port.release();
    while (completions.length > 0 && port.post(0, 0, REQUEST_INVALIDATED, 0, completions[0], 0)) completions.shift();
    while (sent < task.groups && (sent - answered + 1) * 2 <= port.credits && isOut[sent % 512] === 0) {
      const prgi = sent % 512;
      const flags = REQUEST_WRITE | REQUEST_PASID_VALID;
      port.post(2 * sent, task.device, flags, PASID, prgi, 0); // the credits keep both rings from being full
      port.post(2 * sent + 1, task.device, flags | REQUEST_LAST, PASID, prgi, 0);
      isOut[prgi] = 1;
      sent++;
    }
    port.publish();
    wake.sleep(() => port.hasWork() || isOver(), task.deadlineMs);
  }
  return { role: 'device', count: answered, bad };
}

function hardware(): Outcome {
  const ports = Array.from({ length: task.devices }, (_, i) => arena.base(`port${i}`));
  const hw = new VtdHardware(words, arena.base('vtd'), { ports, irq: role.bell('irq'), clock: () => 1 });
  const count = role.pump(hw, 'hardware', isOver);
  return { role: 'hardware', count, bad: hw.pendingWaits };
}

/** Answers each last request at the end of its batch. Pages of each device come in order; gaps are what an overflow answered. */
class Answering implements Pick<EventPumpConfig, 'reporter'> {
  readonly #words: Words;
  readonly #records: number;
  readonly #ops: VtdOps;
  readonly #next: Int32Array = new Int32Array(task.devices);
  #batch = 0;
  count = 0;
  bad = 0;
  readonly reporter: EventPumpConfig['reporter'] = {
    prepareFault: () => this.#records + this.#batch * FAULT_WORDS,
    reportDeviceFault: (at) => {
      const device = this.#words[at + FAULT_DEVICE];
      const page = this.#words[at + FAULT_PAGE_LO];
      if (page < this.#next[device] || this.#words[at + FAULT_TOKEN] !== device + 1) this.bad++;
      this.#next[device] = page + 1;
      if ((this.#words[at + FAULT_FLAGS] & FAULT_FLAG_LAST_PAGE) === 0) return 0;
      if (page % 2 !== 1) this.bad++;
      this.#batch++;
      return 0;
    },
    endBatch: () => {
      for (let i = 0; i < this.#batch; i++) {
        const at = this.#records + i * FAULT_WORDS;
        this.#ops.respond(
          this.#words[at + FAULT_TOKEN],
          this.#words[at + FAULT_PASID],
          this.#words[at + FAULT_GRPID],
          0,
        );
      }
      this.count += this.#batch;
      this.#batch = 0;
      this.#ops.flushResponses();
    },
    discardPartial: () => 0,
  };

  constructor(ops: VtdOps) {
    this.#words = words;
    this.#records = arena.base('records');
    this.#ops = ops;
  }
}

const ops = (thread: number): VtdOps =>
  new VtdOps(words, arena.base('vtd'), thread, {
    self: { id: thread + 1, spins: 20 },
    hardwareDoorbell: role.bell('hardware'),
    timeoutMs: task.deadlineMs,
  });

function interrupt(): Outcome {
  const answering = new Answering(ops(0));
  const pump = new EventPump(words, arena.base('vtd'), { reporter: answering.reporter, ops: ops(1) });
  role.pump(pump, 'irq', isOver);
  return { role: 'interrupt', count: answering.count, bad: answering.bad, pumpCounts: pump.counts() };
}

/** Invalidates all devices, again and again; now and then puts a descriptor that the hardware refuses. */
function control(): Outcome {
  const own = ops(2);
  let count = 0;
  let bad = 0;
  for (; count < task.syncs && !isOver(); count++) {
    const refused = count % 16 === 15;
    for (let i = 0; i < task.devices; i++) own.invalidateDevice(i + 1, count % 2 === 0 ? -1 : PASID);
    if (refused) own.issueRaw([0xf, 0, 0, 0, 0, 0, 0, 0]);
    try {
      own.sync({ id: 3, spins: 20 }, count % 3 === 0);
      if (refused) bad++;
    } catch (error) {
      if (!refused || !(error instanceof Error) || !error.message.includes('refused')) throw error;
    }
  }
  finish();
  return { role: 'control', count, bad };
}

parentPort?.postMessage({ device, hardware, interrupt, control }[task.role]());
