import { parentPort, workerData } from 'node:worker_threads';
import { IommuError } from '@faultline/core/errors';
import type { FaultReporter } from '@faultline/core/iopf';
import { Arena } from '@faultline/core/memory';
import { Doorbell, mutexLock, mutexUnlock } from '@faultline/core/sync';
import { NO_RECORD, PriRequester, REQUEST_INVALIDATED, RESPONSE_PRGI } from '../pcie/index.ts';
import {
  BLOCKED,
  CMDQ_ERR_MASK,
  EventPump,
  PagingDomain,
  readSmmuStats,
  type SmmuDomain,
  SmmuDriver,
  SmmuHardware,
  SmmuMaster,
  SmmuOps,
  STALL_ABORT,
  StallPort,
  virtualNested,
} from './index.ts';
import { type NestedOutcome, type NestedTask, nameIn, SID, STOP, vmidOf } from './nested-threads.test-help.ts';
import { GuestCommands, Vdevices, VirtualArea, VirtualEventRouter, VStreams } from './virtual/index.ts';
import { MASTER_GROUP, VCMDQ_CONS, VCMDQ_GERROR, VCMDQ_GERRORN, VCMDQ_PROD, VSMMU_USERS } from './virtual/layout.ts';

// One thread of nested.threads.test.ts. Which domain recorded an event shows in the event: each guest's entry, and the host's, fail in a way of
// their own. Nobody wakes up by a time-out before the deadline: a lost wake-up fails the test.

/** How a guest's entry fails, by vSMMU: C_BAD_CD, F_STREAM_DISABLED. */
const FAILS = [0, 0x0a, 0x06];
/** More words of region 'control': the vSMMU whose guest may be told of events, and events that guests were told of. */
const ENTRY = 32;
const FORWARDED = 64;

const ENOENT = -2;
const EIO = -5;
const task = workerData as NestedTask;
const arena = Arena.open(task.shared);
const { words } = arena;
const control = arena.base('control');
const self = { id: task.id, spins: 50 };
const area = new VirtualArea(words, arena.base('virtual'));
const base = arena.base('smmu');
const bell = (name: string): Doorbell => new Doorbell(words, arena.base(name));
const hardwareDoorbell = bell('hardware');
const deadline = performance.now() + task.deadlineMs;
const late = (): boolean => performance.now() >= deadline;
const live = (who: keyof typeof STOP): boolean => Atomics.load(words, control + STOP[who]) === 0 && !late();
const wrong: string[] = [];

/** Faults, and completes invalidations, until told to stop and the last of both is done. */
function device(): Record<string, number> {
  const port = new StallPort(words, arena.base('port'));
  const func = new PriRequester(words, arena.base('function'));
  const wake = bell('wake');
  let posted = 0;
  let invalidated = 0;
  const complete = (): void => {
    for (let at = func.peek(); at !== NO_RECORD; at = func.peek()) {
      func.post(0, 0, REQUEST_INVALIDATED, 0, words[at + RESPONSE_PRGI], 0);
      func.next();
      invalidated++;
    }
    func.release();
    func.publish();
  };
  while (live('work')) {
    for (let i = posted % 3; i >= 0; i--) port.post(posted++, 0, 1, 0);
    port.publish();
    while (!port.isDone() && !late()) {
      complete();
      if (!port.isDone() && !func.hasWork())
        wake.sleep(() => port.isDone() || func.hasWork() || late(), task.deadlineMs);
    }
    for (let slot = 0; slot < port.posted; slot++)
      if (port.result(slot) !== STALL_ABORT) wrong.push(`an access ended with ${port.result(slot)}`);
    port.reset();
  }
  // Past the hardware's end: what it sent last is to be counted too.
  while (live('interrupt')) {
    complete();
    if (!func.hasWork()) wake.sleep(() => func.hasWork() || !live('interrupt'), task.deadlineMs);
  }
  complete();
  return { posted, invalidated };
}

function hardware(): Record<string, number> {
  const config = { ports: [arena.base('port')], priPorts: [arena.base('function')], irq: bell('irq'), clock: () => 1 };
  const hw = new SmmuHardware(words, base, { ...config, virtual: area });
  for (let done = 1; done > 0 || live('hardware'); ) {
    done = hw.pump(16);
    if (done === 0) hardwareDoorbell.sleep(() => hw.needsWork() || !live('hardware'), task.deadlineMs);
  }
  return readSmmuStats(words, base);
}

function interrupt(): Record<string, number> {
  const told = [0, 0, 0];
  const sink = {
    reportEvent(vsmmu: number, at: number): number {
      const entry = Atomics.load(words, control + ENTRY);
      const id = words[at] & 0xff;
      if (entry !== vsmmu) wrong.push(`guest ${vsmmu} is told of event ${id} while ${entry} may be`);
      if (id !== FAILS[vsmmu]) wrong.push(`guest ${vsmmu} is told of event ${id}, of another domain`);
      if (words[at + 1] !== nameIn(vsmmu)) wrong.push(`guest ${vsmmu} is told of stream ${words[at + 1]}`);
      if (Atomics.load(words, area.vsmmuAt('sink', vsmmu) + VSMMU_USERS) < 2) wrong.push(`vSMMU ${vsmmu} has no user`);
      told[vsmmu]++;
      Atomics.add(words, control + FORWARDED, 1);
      Atomics.notify(words, control + FORWARDED);
      return 0;
    },
  };
  const reporter: FaultReporter = {
    prepareFault: () => arena.base('scratch'),
    reportDeviceFault: () => wrong.push('a fault was reported, and nothing stalls here'),
    endBatch: () => {},
  };
  const router = new VirtualEventRouter(area, self, sink, arena.base('scratch') + 32);
  const ops = new SmmuOps(words, base, 0, { hardwareDoorbell });
  const pump = new EventPump(words, base, { reporter, ops, router });
  const irq = bell('irq');
  for (let taken = 1; taken > 0 || live('interrupt'); ) {
    taken = pump.pump(16);
    if (taken === 0) irq.sleep(() => pump.needsWork() || !live('interrupt'), task.deadlineMs);
  }
  return { ...pump.counts(), told1: told[1], told2: told[2], kept: router.counts().kept };
}

/** Takes the device from guest to guest, by way of the host or of nobody; each guest has it until an event has come through. */
async function attach(): Promise<Record<string, number>> {
  const ops = new SmmuOps(words, base, 1, { hardwareDoorbell });
  const driver = new SmmuDriver(words, base, { ops, hardwareDoorbell });
  const vdevices = new Vdevices(area, self);
  const streams = new VStreams(area, self, vdevices);
  const group = words[area.masterAt('attach', SID) + MASTER_GROUP];
  const underMutex = async <T>(call: () => Promise<T>): Promise<T> => {
    mutexLock(words, group, self);
    try {
      return await call();
    } finally {
      mutexUnlock(words, group, self);
    }
  };
  const virtual = { streams, fence: () => driver.fenceEventQueue() };
  const config = { ops, device: SID, streamIds: [SID], virtual };
  const master = await underMutex(() => SmmuMaster.claim(words, base, config));
  const host = new PagingDomain({ stage1: { asid: 7, tableAt: 0x4000 } });
  const guests: SmmuDomain[] = [1, 2].map((vsmmu) =>
    virtualNested(area, vsmmu, new PagingDomain({ stage2: { vmid: vmidOf(vsmmu), tableAt: 0x4000 } })),
  );
  const to = (domain: SmmuDomain): Promise<void> => underMutex(() => master.attach(domain));
  let refused = 0;
  for (let round = 0; round < task.rounds && !late(); round++) {
    const vsmmu = 1 + (round % 2);
    const gone = vdevices.destroy(SID);
    if (gone !== 0 && gone !== ENOENT) wrong.push(`destroy said ${gone}`);
    if (vdevices.alloc(vsmmu, SID, nameIn(vsmmu)) !== 0) wrong.push('no vdevice');
    await to(guests[2 - vsmmu]).catch((error: unknown) => {
      if (!(error instanceof IommuError) || error.code !== 'ENOENT') throw error;
      refused++; // the other guest has no name for it
    });
    Atomics.store(words, control + ENTRY, vsmmu);
    await to(guests[vsmmu - 1]);
    const seen = Atomics.load(words, control + FORWARDED);
    if (Atomics.wait(words, control + FORWARDED, seen, task.deadlineMs) === 'timed-out')
      wrong.push(`no event reached guest ${vsmmu}`);
    await to(round % 3 === 0 ? BLOCKED : host);
    Atomics.store(words, control + ENTRY, 0); // from here on a guest that is told of anything is told what is not its own
  }
  await to(BLOCKED);
  const users = guests.map((guest) => (guest.kind === 'nested' ? guest.parent.users : 0));
  if (users.some((count) => count !== 0) || host.users !== 0) wrong.push('a domain is still linked');
  return { attached: task.rounds, refused, settled: master.settled ? 1 : 0 };
}

/** ATC_INV of both guests: through the host, and through each one's own queue. */
function guest(): Record<string, number> {
  const ops = new SmmuOps(words, base, 2, { hardwareDoorbell });
  const vdevices = new Vdevices(area, self);
  const at = arena.base('scratch') + 64;
  const guests = [1, 2].map((vsmmu) => ({
    commands: new GuestCommands(area, vsmmu, self, vdevices, ops),
    queue: new GuestQueue(vsmmu),
  }));
  const counts = { software: 0, softwareRefused: 0, virtual: 0, virtualRefused: 0 };
  for (let vsmmu = 1; live('work'); vsmmu = 3 - vsmmu) {
    const { commands, queue } = guests[vsmmu - 1];
    words.set([0x40, nameIn(vsmmu), 0, 0, 0x40, nameIn(3 - vsmmu), 0, 0], at); // the second is the other guest's name
    const result = commands.submit(at, 2);
    if (result !== EIO) wrong.push(`submit said ${result}`);
    if (commands.completed > 1) wrong.push(`guest ${vsmmu} reached the other guest's device`);
    if (commands.completed === 1) counts.software++;
    else counts.softwareRefused++;
    queue.step(true);
    ops.sync(self); // the hardware has had a turn
  }
  for (const { queue } of guests) {
    while (!queue.step(false) && !late()) ops.sync(self);
    counts.virtual += queue.posted - queue.refused;
    counts.virtualRefused += queue.refused;
  }
  return counts;
}

/** A guest's own queue of four commands, of which it posts one at a time. */
class GuestQueue {
  readonly #vsmmu: number;
  readonly #at: number;
  readonly #entries: number;
  posted = 0;
  refused = 0;

  constructor(vsmmu: number) {
    this.#vsmmu = vsmmu;
    this.#at = area.queueAt('GuestQueue', vsmmu, 0);
    this.#entries = arena.base('queues') + (vsmmu - 1) * 16;
  }

  /** Deals with an error, or posts the next command. @returns whether all that was posted is taken. */
  step(more: boolean): boolean {
    const prod = Atomics.load(words, this.#at + VCMDQ_PROD);
    const cons = Atomics.load(words, this.#at + VCMDQ_CONS);
    const gerror = Atomics.load(words, this.#at + VCMDQ_GERROR);
    if (gerror !== Atomics.load(words, this.#at + VCMDQ_GERRORN)) {
      if ((cons & CMDQ_ERR_MASK) >>> 24 !== 1) wrong.push(`guest ${this.#vsmmu}'s queue stands at ${cons}`);
      words.set([0x46, 0, 0, 0], this.#entries + (cons & 3) * 4);
      this.refused++;
      Atomics.store(words, this.#at + VCMDQ_GERRORN, gerror);
      hardwareDoorbell.ring();
      return false;
    }
    if ((cons & 7) !== prod) return false;
    if (!more) return true;
    words.set([0x40, nameIn(this.#vsmmu), 0, 0], this.#entries + (prod & 3) * 4);
    Atomics.store(words, this.#at + VCMDQ_PROD, (prod + 1) & 7);
    this.posted++;
    hardwareDoorbell.ring();
    return false;
  }
}

const alive = setInterval(() => {}, task.deadlineMs); // waitAsync keeps no thread alive
const counts = await { device, hardware, interrupt, attach, guest }[task.role]();
parentPort?.postMessage({ role: task.role, counts, wrong } satisfies NestedOutcome);
clearInterval(alive);
