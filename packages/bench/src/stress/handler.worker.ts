// One worker of the work queue, or reader of the fault file. It lives for the whole run and serves one generation, so that its code
// stays as warm, and as monomorphic, as that of a kernel that has only one.
import { workerData } from 'node:worker_threads';
import { hostDoorbellBase } from '@faultline/core/actor';
import {
  ActiveLimit,
  type Generation,
  HandlerThread,
  type IommuOps,
  IopfSystem,
  openFaultPath,
  WorkSink,
  WorkSource,
} from '@faultline/core/iopf';
import { Arena, type SharedArena } from '@faultline/core/memory';
import { Doorbell, type ThreadSelf } from '@faultline/core/sync';
import { Mm } from '@faultline/hw/mm';
import type { TracePlace } from '../perfetto/place.ts';
import { type HandlerTrace, traceHandler } from '../perfetto/record/index.ts';
import type { HandlerName, IommuName } from '../scenario/parameters.ts';
import { clockOf } from './clock.ts';
import { CELL_EPOCH, CELL_MAX_ACTIVE, CELL_SPINS, CTL_PARAMS } from './control.ts';
import { epochOf } from './epoch.ts';
import { openAmdIssuer } from './family/amd.ts';
import type { OpenIssuer } from './family/family.ts';
import { openSmmuIssuer } from './family/smmu-v3.ts';
import { openVtdIssuer } from './family/vtd.ts';
import { HARDWARE_HOST } from './plan.ts';
import { serveCells } from './serve-cells.ts';
import { type StampPlace, Stamps } from './stages/stamps.ts';
import { StampingPath } from './stages/wrap.ts';
import { TallyOps } from './tally.ts';
import { openMachine } from './user-space/machine.ts';
import { readerRow } from './user-space/reader-books.ts';
import { ReaderThread } from './user-space/reader-thread.ts';

export interface HandlerData {
  readonly shared: SharedArena;
  readonly iommu: IommuName;
  readonly handler: HandlerName;
  readonly generation: Generation;
  readonly generationNumber: number;
  readonly id: number;
  readonly issuer: number;
  readonly handlers: number;
  /** Number of the device that misbehaves, 0: none. */
  readonly hostile: number;
  /** Where it records what it does, undefined: it does not. */
  readonly traces: TracePlace | undefined;
  /** Set where the stages of faults are measured. */
  readonly stamps: StampPlace | undefined;
}

/** What a cell is served with. */
interface Server {
  /** Handles what waits. @returns groups, 0 for none. */
  step(): number;
  park(timeoutMs: number): void;
  close(): void;
}

const OPEN: Record<IommuName, OpenIssuer> = { 'smmu-v3': openSmmuIssuer, vtd: openVtdIssuer, amd: openAmdIssuer };
const BATCH = 16;
/** How often a sleeping handler looks whether its cell has ended. */
const PARK_MS = 20;

const data = workerData as HandlerData;
const arena = Arena.open(data.shared);
const openIssuer = OPEN[data.iommu];
const { words } = arena;
const params = arena.base('control') + CTL_PARAMS;

serveCells(arena, data.generationNumber, (isOver) => {
  const self: ThreadSelf = { id: data.id, spins: words[params + CELL_SPINS] };
  const hardwareDoorbell = new Doorbell(words, hostDoorbellBase(arena, HARDWARE_HOST));
  const system = new IopfSystem(arena, self);
  const issuer = openIssuer(arena, { issuer: data.issuer, self, hardwareDoorbell });
  const ops = data.hostile === 0 ? issuer.ops : new TallyOps(issuer.ops, arena, self.id, data.hostile);
  const server = data.handler === 'iommufd' ? readFaults(system, ops) : handleWork(system, ops);
  while (!isOver()) if (server.step() === 0) server.park(PARK_MS);
  while (server.step() !== 0);
  server.close();
});

function openTrace(system: IopfSystem, place: TracePlace): HandlerTrace {
  return traceHandler(system, place, clockOf(epochOf(words, params + CELL_EPOCH)));
}

function openMm(self: ThreadSelf): Mm {
  return new Mm(words, arena.base('mm'), self, { invalidateRange: unexpected });
}

function handleWork(system: IopfSystem, ops: IommuOps): Server {
  const own = openFaultPath(data.generation, system, ops, new WorkSink(system));
  const path = data.traces === undefined ? own : openTrace(system, data.traces).path(own);
  const clock = clockOf(epochOf(words, params + CELL_EPOCH));
  const stamps = data.stamps === undefined ? undefined : new Stamps(arena, data.stamps, clock);
  const maxActive = words[params + CELL_MAX_ACTIVE];
  const thread = new HandlerThread({
    system,
    path: stamps === undefined ? path : new StampingPath(path, system, stamps),
    ops,
    work: new WorkSource(system, system.self, data.handlers, BATCH),
    limit: maxActive < data.handlers ? new ActiveLimit(words, system.active, maxActive) : undefined,
    mms: [undefined, openMm(system.self)],
  });
  system.reader.online();
  return {
    step: () => thread.step(),
    park: (timeoutMs) => thread.park(timeoutMs),
    close: () => own.close(),
  };
}

function readFaults(system: IopfSystem, ops: IommuOps): Server {
  const machine = openMachine(arena, { system, ops, generation: data.generation });
  const row = readerRow(arena, data.issuer - 1);
  const own = openMm(system.self);
  const mm = data.traces === undefined ? own : openTrace(system, data.traces).space(own);
  const thread = new ReaderThread({ machine, mm, row });
  // What `locked` found no fault queue for, as its domain had gone: refused.
  const work = new WorkSource(system, system.self, data.handlers, BATCH);
  const left = new HandlerThread({ system, path: machine.path, ops, work, mms: [] });
  const refuse = (): number => machine.answering(() => left.step());
  return {
    step: () => (data.generation === 'locked' ? refuse() : 0) + thread.step(),
    park: (timeoutMs) => thread.park(timeoutMs),
    close: () => thread.close(),
  };
}

function unexpected(): never {
  throw new Error('a handler unmaps nothing');
}
