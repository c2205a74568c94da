import { setTimeout } from 'node:timers/promises';
import { ActorSystem } from '@faultline/core/actor';
import type { Generation } from '@faultline/core/iopf';
import type { Arena } from '@faultline/core/memory';
import { TICKS_PER_MS } from '@faultline/core/sync';
import type { Recorder } from '../perfetto/recorder.ts';
import type { RequestRecorder } from '../replay/record/request-recorder.ts';
import type { Cell } from '../result/schema.ts';
import { placesFor } from './admission.ts';
import { nowNs } from './clock.ts';
import { collectCell } from './collect.ts';
import {
  CELL_BUDGETED,
  CELL_EPOCH,
  CELL_GENERATION,
  CELL_MAX_ACTIVE,
  CELL_PASSES,
  CELL_RETRIES,
  CELL_SCAN_PAGES_PER_SECOND,
  CELL_SPINS,
  CELL_TIMEOUT_TICKS,
  CTL_BUDGET,
  CTL_CELL,
  CTL_DONE,
  CTL_GO,
  CTL_HANDLERS,
  CTL_OVER,
  CTL_PARAMS,
  CTL_READY,
  CTL_STOP,
  cellNumber,
  packCell,
} from './control.ts';
import { type Crew, generationNumber } from './crew.ts';
import { allDevices } from './family/family.ts';
import { LAYOUTS } from './family/layouts.ts';
import type { HostData } from './host-data.ts';
import {
  hostileDevice,
  initCell,
  isTallied,
  ledgerPlace,
  type Plan,
  portBase,
  stampPlace,
  tracesOf,
  WINDOWS,
} from './plan.ts';
import { runShape, traceNotes } from './trace-shape.ts';
import { waitWord } from './wait-word.ts';

export interface CellOrder {
  readonly generation: Generation;
  readonly threads: number;
  readonly repeat: number;
  /** Milliseconds between two passes of the page scanner, 0: off. */
  readonly scanPeriodMs: number;
  readonly timeoutMs: number;
  readonly faults?: number | undefined;
  readonly seconds?: number | undefined;
  /** Set where its page requests are recorded. */
  readonly requests?: RequestRecorder | undefined;
}

export interface CellStage {
  readonly arena: Arena;
  readonly plan: Plan;
  readonly crew: Crew;
  readonly signal: AbortSignal;
}

const MAILBOX_FULL_MS = 1;

/** Times that a job goes over its window: reads it, then works on it. */
const PASSES = 2;

/** Runs one cell from a fresh arena to balanced books. @returns the cell; when aborted, what it had measured by then.
 * @throws ThreadDied, IommuError EPIPE (reject) a thread, host or actor died: the cell's hosts have ended, its other threads may not. */
export async function runCell(stage: CellStage, order: CellOrder, recorder?: Recorder): Promise<Cell> {
  const { arena, plan, crew } = stage;
  const { parameters } = plan;
  const { words } = arena;
  const control = arena.base('control');
  const { queues } = LAYOUTS[parameters.iommu];
  const count = allDevices(plan.family);
  const devices = Array.from({ length: count }, (_, i) => `device:${i + 1}`);
  const ports = order.threads + (plan.family.hostile ? 1 : 0);
  const pool = await crew.prepare(order.generation);
  initCell(arena, plan, order.threads);
  const epochNs = nowNs();
  writeParameters(stage, order, epochNs);
  const { generation, threads, repeat, requests } = order;
  requests?.begin(arena, { iommu: parameters.iommu, generation, threads, repeat });

  const traces = tracesOf(arena, plan);
  const hostData: HostData = {
    iommu: parameters.iommu,
    generation: order.generation,
    ports: Array.from({ length: ports }, (_, thread) => portBase(arena, plan, thread)),
    epochNs,
    devices: count,
    hostile: hostileDevice(plan),
    tallied: isTallied(parameters),
    ledger: parameters.atc ? ledgerPlace(arena, plan) : undefined,
    stamps: stampPlace(plan),
    queues,
    issuers: plan.family.issuers,
    lightFlush: parameters.lightFlush,
    places: placesFor(parameters),
    handler: parameters.handler,
    traces,
    recordsRequests: order.requests !== undefined,
    takesAttachOrders: plan.parts.takesAttachOrders === true,
  };
  const spins = words[control + CTL_PARAMS + CELL_SPINS];
  const system = await ActorSystem.start({
    arena,
    pool,
    hosts: [
      {
        name: 'hardware',
        setup: new URL(`./hardware-host${extension}`, import.meta.url),
        data: hostData,
        self: { id: 1, spins },
      },
      {
        name: 'interrupt',
        setup: new URL(`./interrupt-host${extension}`, import.meta.url),
        data: hostData,
        self: { id: 2, spins },
      },
    ],
    actors: {
      ...Object.fromEntries(queues.map(({ name, host }, i) => [name, { host, id: 1 + i }])),
      domain: { host: 'interrupt', id: 1 + queues.length },
      ...Object.fromEntries(devices.map((name, i) => [name, { host: 'interrupt', id: 2 + queues.length + i }])),
    },
  });
  const over = new AbortController();
  try {
    if (traces !== undefined) recorder?.begin(words, traces);
    const seconds = await drive(stage, order, system, devices, over.signal);
    await recorder?.end(runShape(plan), { ...traceNotes(order), epochNs: Number(epochNs) });
    return collectCell(stage, order, seconds);
  } catch (reason) {
    Atomics.store(words, control + CTL_STOP, 1);
    await system.stop(); // how the hosts end now adds nothing to the reason
    throw reason;
  } finally {
    over.abort(); // ends the waits that lost against a failure
    requests?.end();
  }
}

/** The cell's course, from hosts that run to hosts that have ended. @returns how long its device threads ran, in seconds. */
async function drive(
  { arena, plan, crew, signal }: CellStage,
  order: CellOrder,
  system: ActorSystem,
  devices: readonly string[],
  over: AbortSignal,
): Promise<number> {
  const { parameters } = plan;
  const { words } = arena;
  const control = arena.base('control');
  const died = new Promise<never>((_, reject) => system.on('host-died', ({ error }) => reject(error)));
  const failed = new Promise<never>((_, reject) =>
    system.on('actor-failed', ({ actor, message }) => reject(new Error(`${actor}: ${message}`))),
  );
  for (const promise of [died, failed]) promise.catch(() => {});
  const orFail = <T>(work: Promise<T>): Promise<T> => Promise.race([work, crew.failure, died, failed]);
  const counted = (at: number, count: number, until: AbortSignal = over): Promise<boolean> =>
    orFail(waitWord(words, control + at, (value) => value === count, until));

  const number = cellNumber(Atomics.load(words, control + CTL_CELL)) + 1;
  const { queues, hasEndpoints } = LAYOUTS[parameters.iommu];
  const workers = Math.ceil(order.threads / parameters.threadsPerWorker);
  const all = workers + (plan.family.hostile ? 1 : 0);
  Atomics.store(words, control + CTL_READY, 0);
  Atomics.store(words, control + CTL_DONE, 0);
  Atomics.store(words, control + CTL_HANDLERS, number); // publishes the parameters to the handlers
  Atomics.notify(words, control + CTL_HANDLERS);
  await counted(CTL_READY, parameters.handlers);

  const reached = (actors: readonly string[], state: string): Promise<unknown> =>
    orFail(Promise.all(actors.map((actor) => system.reached(actor, state))));
  for (const { name } of queues) await tell(system, name, ['enable'], over);
  await tell(system, 'domain', ['attach'], over);
  for (const device of devices) await tell(system, device, ['bind', 'attach'], over);
  await reached(devices, 'pri-enabled');
  // The device that goes on asking after PRI-off is taken off before it begins.
  const isOffEarly = parameters.misbehave === 'requestsAfterPriOff';
  const turnOff = async (which: readonly string[]): Promise<void> => {
    for (const device of which) await tell(system, device, ['disable-pri'], over);
    await reached(which, 'attached');
  };

  Atomics.store(words, control + CTL_DONE, 0);
  Atomics.store(words, control + CTL_READY, 0);
  Atomics.store(words, control + CTL_CELL, packCell(number, order.threads)); // publishes the parameters to the device threads
  Atomics.notify(words, control + CTL_CELL);
  await counted(CTL_READY, all);
  if (isOffEarly) await turnOff(devices.slice(-1));
  const start = performance.now();
  Atomics.store(words, control + CTL_GO, number);
  Atomics.notify(words, control + CTL_GO);
  const cut = order.seconds === undefined ? [] : [AbortSignal.timeout(order.seconds * 1000)];
  const ended = new AbortController(); // by a budget that is used up, too
  const until = AbortSignal.any([signal, over, ended.signal, ...cut]);
  const replacing = orFail(replaceUnderLoad(system, parameters.replaceEveryMs, until, over));
  replacing.catch(() => {}); // awaited below, unless something else fails before
  await counted(CTL_DONE, workers, until);
  ended.abort();
  Atomics.store(words, control + CTL_STOP, 1);
  await counted(CTL_DONE, all);
  const seconds = (performance.now() - start) / 1000;
  await replacing;

  await turnOff(isOffEarly ? devices.slice(0, -1) : devices);
  for (const device of devices) await tell(system, device, ['detach', 'unbind'], over);
  await tell(system, 'domain', ['detach'], over);
  await orFail(system.reached('domain', 'freed'));
  const [commands, ...records] = queues;
  for (const { name } of records) {
    await tell(system, name, ['disable'], over);
    await reached([name], 'disabled');
  }

  if (hasEndpoints) {
    Atomics.store(words, control + CTL_DONE, 0);
    Atomics.store(words, control + CTL_OVER, number);
    crew.ringDevices();
    await counted(CTL_DONE, all);
  }

  Atomics.store(words, control + CTL_DONE, 0);
  Atomics.store(words, control + CTL_HANDLERS, 0);
  Atomics.notify(words, control + CTL_HANDLERS);
  await counted(CTL_DONE, parameters.handlers);
  await tell(system, commands.name, ['disable'], over);
  await reached([commands.name], 'disabled');
  for (const report of await orFail(system.stop())) if (report.error !== undefined) throw report.error;
  return seconds;
}

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));

function writeParameters({ arena, plan }: CellStage, order: CellOrder, epochNs: bigint): void {
  const { words } = arena;
  const { parameters } = plan;
  const control = arena.base('control');
  const at = control + CTL_PARAMS;
  words[at + CELL_GENERATION] = generationNumber(order.generation);
  words[at + CELL_TIMEOUT_TICKS] = order.timeoutMs * TICKS_PER_MS;
  words[at + CELL_MAX_ACTIVE] = parameters.maxActive;
  words[at + CELL_SPINS] = parameters.spins;
  const pages = order.threads * parameters.pagesPerJob * WINDOWS;
  words[at + CELL_SCAN_PAGES_PER_SECOND] =
    order.scanPeriodMs === 0 ? 0 : Math.ceil((pages * 1000) / order.scanPeriodMs);
  words[at + CELL_EPOCH] = Number(epochNs & 0xffffffffn) | 0;
  words[at + CELL_EPOCH + 1] = Number(epochNs >> 32n) | 0;
  const noop = parameters.handler === 'noop';
  words[at + CELL_PASSES] = noop ? 1 : PASSES;
  words[at + CELL_RETRIES] = noop ? 0 : 1;
  words[at + CELL_BUDGETED] = order.faults === undefined ? 0 : 1;
  Atomics.store(words, control + CTL_BUDGET, order.faults ?? 0);
  Atomics.store(words, control + CTL_STOP, 0);
}

/** Sends each event, waiting while the mailbox is full: there may be more devices than it has entries. Until aborted. */
async function tell(system: ActorSystem, actor: string, events: readonly string[], until: AbortSignal): Promise<void> {
  for (const event of events) while (!system.send(actor, event) && !until.aborted) await setTimeout(MAILBOX_FULL_MS);
}

/** Sends the domain its `replace` now and then; each ends before the next begins. */
async function replaceUnderLoad(
  system: ActorSystem,
  everyMs: number,
  until: AbortSignal,
  over: AbortSignal,
): Promise<void> {
  if (everyMs === 0) return;
  while (!until.aborted) {
    await setTimeout(everyMs, undefined, { signal: until, ref: false }).catch(() => {}); // rejects when aborted, as seen next
    if (until.aborted) return;
    const done = new Promise<void>((resolve) => {
      const listen = ({ actor, state }: { actor: string; state: string }): void => {
        if (actor !== 'domain' || state !== 'attached') return;
        system.off('transition', listen);
        resolve();
      };
      system.on('transition', listen);
    });
    await tell(system, 'domain', ['replace'], over);
    await done;
  }
}
