import { parentPort, workerData } from 'node:worker_threads';
import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PASID,
  FAULT_TOKEN,
  FAULT_WORDS,
} from '@faultline/core/iopf';
import {
  NO_RECORD,
  PRG_INVALID,
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
import { EventPump, type EventPumpConfig, type Procedure, VtdHardware, VtdOps, VtdProcedures } from './index.ts';

// One thread of churn.threads.test.ts. The driver ends it: it says stop; each device then waits for its last answer; and the last of those
// ends the hardware and the interrupt. Whoever waits is woken by who changes the word; only procedures, which look for errors, wake by time.

export interface ChurnTask extends RoleTask {
  readonly role: 'device' | 'hardware' | 'interrupt' | 'driver';
  readonly devices: number;
  readonly device: number;
  /** Detach and attach, so often for each device. */
  readonly rounds: number;
  /** Of so many invalidations a device never completes one; 0: it completes all. */
  readonly sulks: number;
}

export interface ChurnOutcome {
  readonly role: ChurnTask['role'];
  readonly sent: number;
  readonly answered: number;
  readonly bad: number;
}

const PASID = 5;
/** Answers of a kind that the driver waits for between two steps. */
const ENOUGH = 20;
const task = workerData as ChurnTask;
const role = new Role(task);
const { arena, words } = role;
const leftAt = arena.base('left');
const stopAt = arena.base('stop');
const isOver = (): boolean => Atomics.load(words, leftAt) === 0 || performance.now() >= role.deadline;
const countAt = (name: string, device: number): number => arena.base(name) + device * 32;
const ringAll = (): void => {
  for (const name of ['irq', 'hardware', ...Array.from({ length: task.devices }, (_, i) => `wake${i}`)])
    role.bell(name).ring();
};

/** Sends groups of two pages, until it is told to stop; ends when each was answered, once. */
function device(): ChurnOutcome {
  const port = new PriRequester(words, arena.base(`port${task.device}`));
  const wake = role.bell(`wake${task.device}`);
  const countsAt: Record<number, number> = {
    [PRG_SUCCESS]: countAt('successes', task.device),
    [PRG_INVALID]: countAt('invalids', task.device),
  };
  const isOut = new Uint8Array(512);
  const completions: number[] = [];
  let asked = 0;
  let sent = 0;
  let answered = 0;
  let bad = 0;
  const isStopping = (): boolean => Atomics.load(words, stopAt) === 1;
  while (
    performance.now() < role.deadline &&
    !(isStopping() && sent === answered && Atomics.load(words, leftAt) <= 0)
  ) {
    for (let at = port.peek(); at !== NO_RECORD; at = port.peek()) {
      const prgi = words[at + RESPONSE_PRGI];
      if ((words[at + RESPONSE_FLAGS] & RESPONSE_INVALIDATE) !== 0) {
        asked++;
        if (task.sulks === 0 || asked % task.sulks !== 0) completions.push(prgi);
      } else {
        const count = countsAt[words[at + RESPONSE_CODE]];
        if (isOut[prgi] !== 1 || count === undefined) bad++;
        else if (Atomics.add(words, count, 1) % ENOUGH === 0) Atomics.notify(words, count);
        isOut[prgi] = 0;
        answered++;
      }
      port.next();
    }
    port.release();
    while (completions.length > 0 && port.post(0, 0, REQUEST_INVALIDATED, 0, completions[0], 0)) completions.shift();
    while (!isStopping() && (sent - answered + 1) * 2 <= port.credits && isOut[sent % 512] === 0) {
      const prgi = sent % 512;
      const flags = REQUEST_WRITE | REQUEST_PASID_VALID;
      port.post(2 * sent, 0, flags, PASID, prgi, 0); // the credits keep both rings from being full
      port.post(2 * sent + 1, 0, flags | REQUEST_LAST, PASID, prgi, 0);
      isOut[prgi] = 1;
      sent++;
    }
    port.publish();
    if (isStopping() && sent === answered && completions.length === 0) {
      if (Atomics.sub(words, leftAt, 1) === 1) ringAll();
      break;
    }
    wake.sleep(() => port.hasWork() || (isStopping() && sent === answered) || isOver(), task.deadlineMs);
  }
  return { role: 'device', sent, answered, bad };
}

function hardware(): ChurnOutcome {
  const hw = new VtdHardware(words, arena.base('vtd'), {
    ports: Array.from({ length: task.devices }, (_, i) => arena.base(`port${i}`)),
    irq: role.bell('irq'),
    clock: () => performance.now(),
    invalidationTimeoutTicks: 30, // milliseconds, by this clock
  });
  role.pump(hw, 'hardware', isOver);
  return { role: 'hardware', sent: 0, answered: 0, bad: hw.pendingWaits };
}

const ops = (thread: number): VtdOps =>
  new VtdOps(words, arena.base('vtd'), thread, {
    self: { id: thread + 1, spins: 20 },
    hardwareDoorbell: role.bell('hardware'),
    timeoutMs: task.deadlineMs,
  });

/** Answers each last request at the end of its batch, and counts the reports of each device. */
function interrupt(): ChurnOutcome {
  const records = arena.base('records');
  const answers = ops(0);
  let batch = 0;
  let answered = 0;
  const reporter: EventPumpConfig['reporter'] = {
    prepareFault: () => records + batch * FAULT_WORDS,
    reportDeviceFault: (at) => {
      Atomics.add(words, countAt('reports', words[at + FAULT_DEVICE]), 1);
      if ((words[at + FAULT_FLAGS] & FAULT_FLAG_LAST_PAGE) !== 0) batch++;
      return 0;
    },
    endBatch: () => {
      for (let at = records; at < records + batch * FAULT_WORDS; at += FAULT_WORDS)
        answers.respond(words[at + FAULT_TOKEN], words[at + FAULT_PASID], words[at + FAULT_GRPID], PRG_SUCCESS);
      answered += batch;
      batch = 0;
      answers.flushResponses();
    },
    discardPartial: () => 0,
  };
  const pump = new EventPump(words, arena.base('vtd'), { reporter, ops: ops(1) });
  role.pump(pump, 'irq', isOver);
  return { role: 'interrupt', sent: 0, answered, bad: pump.counts().refused + pump.counts().unknownRequester };
}

function run<T>(procedure: Procedure<T>): T {
  for (;;) {
    const { done, value } = procedure.next();
    if (done === true) return value;
    if (!(value instanceof Promise)) Atomics.wait(words, value.at, value.seen, 20);
  }
}

/** Until `more` answers of a kind have come in. @returns whether they did before the deadline. */
function waitFor(at: number, more: number): boolean {
  const target = Atomics.load(words, at) + more;
  for (;;) {
    const seen = Atomics.load(words, at);
    if (seen >= target) return true;
    if (Atomics.wait(words, at, seen, Math.max(0, role.deadline - performance.now())) === 'timed-out') return false;
  }
}

/** Detaches and attaches, device after device. Between the two nothing of the device may be reported, and its groups come back Invalid. */
function driver(): ChurnOutcome {
  const own = new VtdProcedures(words, arena.base('vtd'), {
    ops: ops(2),
    hardwareDoorbell: role.bell('hardware'),
    timeoutMs: task.deadlineMs,
  });
  const domain = { kind: 'first-level', did: 1, faults: true } as const;
  let bad = 0;
  run(own.enable());
  for (let i = 0; i < task.devices; i++) {
    run(own.attachDevice(i + 1, i));
    run(own.attach(i + 1, PASID, domain));
  }
  for (let round = 0; round < task.rounds; round++)
    for (let i = 0; i < task.devices; i++) {
      if (!waitFor(countAt('successes', i), ENOUGH)) bad++;
      run(own.detach(i + 1, PASID));
      const reports = Atomics.load(words, countAt('reports', i));
      if (!waitFor(countAt('invalids', i), ENOUGH)) bad++;
      if (Atomics.load(words, countAt('reports', i)) !== reports) bad++;
      run(own.attach(i + 1, PASID, domain));
    }
  Atomics.store(words, stopAt, 1);
  ringAll();
  return { role: 'driver', sent: own.passedOver, answered: 0, bad };
}

parentPort?.postMessage({ device, hardware, interrupt, driver }[task.role]());
