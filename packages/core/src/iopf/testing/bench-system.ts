import { Arena, planArena } from '../../memory/index.ts';
import type { ThreadSelf } from '../../sync/index.ts';
import { type FaultPath, type Generation, openFaultPath } from '../generations/index.ts';
import type { IommuOps } from '../ops.ts';
import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_OFFSET_SHIFT,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_PERM_READ,
  FAULT_TOKEN,
  type ResponseCode,
} from '../record.ts';
import { type IopfConfig, IopfSystem, initIopf, iopfRegions } from '../system.ts';
import { WorkSink, WorkSource } from '../work-queue.ts';

export const SMALL: IopfConfig = {
  devices: 2,
  domains: 4,
  threads: 4,
  requests: 256,
  workEntries: 64,
  sharing: 'split',
  checked: true,
};

export interface Answer {
  readonly device: number;
  readonly grpid: number;
  readonly code: ResponseCode;
}

/** A driver that remembers what it was told to answer: core's own stand-in for hardware. */
export class RecordingOps implements IommuOps {
  readonly answers: Answer[] = [];
  readonly #words: Int32Array;
  constructor(words: Int32Array) {
    this.#words = words;
  }
  pageResponse(recordAt: number, code: ResponseCode): void {
    this.answers.push({
      device: this.#words[recordAt + FAULT_DEVICE],
      grpid: this.#words[recordAt + FAULT_GRPID],
      code,
    });
  }
  flushResponses(): void {}
}

export interface PageRequest {
  device?: number;
  pasid?: number;
  grpid?: number;
  last?: boolean;
  page?: number;
  /** The byte in the page. */
  offset?: number;
  perm?: number;
}

/** One thread that is driver, reporter and worker in one: enough to ask every generation the same question. */
export class OneThread {
  readonly system: IopfSystem;
  readonly ops: RecordingOps;
  readonly path: FaultPath;
  readonly source: WorkSource;
  readonly sink: WorkSink;
  readonly arena: Arena;

  constructor(generation: Generation, config: Partial<IopfConfig> = {}) {
    const whole = { ...SMALL, ...config };
    this.arena = Arena.create(planArena(iopfRegions(whole)));
    initIopf(this.arena, whole);
    const self: ThreadSelf = { id: 1, spins: 0 };
    this.system = new IopfSystem(this.arena, self);
    this.system.reader.online();
    this.ops = new RecordingOps(this.arena.words);
    this.sink = new WorkSink(this.system);
    this.path = openFaultPath(generation, this.system, this.ops, this.sink);
    this.source = new WorkSource(this.system, self, 1, 16);
  }

  report(request: PageRequest): number {
    const { words } = this.system;
    const at = this.path.prepareFault();
    words[at + FAULT_DEVICE] = request.device ?? 1;
    words[at + FAULT_FLAGS] =
      (request.pasid === undefined ? 0 : FAULT_FLAG_PASID_VALID) | (request.last === false ? 0 : FAULT_FLAG_LAST_PAGE);
    words[at + FAULT_PASID] = request.pasid ?? 0;
    words[at + FAULT_GRPID] = request.grpid ?? 0;
    words[at + FAULT_PERM] = request.perm ?? FAULT_PERM_READ;
    words[at + FAULT_PAGE_LO] = request.page ?? 0;
    words[at + FAULT_PAGE_HI] = (request.offset ?? 0) << FAULT_OFFSET_SHIFT;
    words[at + FAULT_TOKEN] = 0;
    const result = this.path.reportDeviceFault(at);
    this.path.endBatch();
    return result;
  }

  /** Takes what waits in the work ring. */
  take(): number[] {
    const groups: number[] = [];
    for (let n = this.source.take(); n !== 0; n = this.source.take()) groups.push(...this.source.batch.subarray(0, n));
    return groups;
  }

  /** Answers and frees a group, as a worker does. */
  finish(group: number, code: ResponseCode = 0): boolean {
    const answered = this.path.respondGroup(group, code);
    this.path.freeGroup(group);
    this.path.endBatch();
    return answered;
  }

  /** Waits for what a thread of its own would have done: passes quiescent states until everything deferred is free. */
  settle(): void {
    for (let i = 0; i < 4; i++) {
      this.system.reader.quiescent();
      this.path.isReleased();
      this.system.deferredHandles.poll();
    }
  }
}
