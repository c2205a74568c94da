import {
  Arena,
  allocDomain,
  attachDomain,
  type CounterMode,
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_PERM_READ,
  FAULT_TOKEN,
  type FaultPath,
  GENERATIONS,
  type Generation,
  HANDLER_NOOP,
  HandlerThread,
  type IommuOps,
  type IopfConfig,
  IopfSystem,
  initIopf,
  iopfRegions,
  openFaultPath,
  planArena,
  type Words,
  WorkSink,
  WorkSource,
} from '@faultline/core';
import { SELF, type Subject } from './subject.ts';

const BATCH = 32;
const BATCHES = 16;
const FAULTS: number = BATCHES * BATCH;
const DEVICE = 1;
const PASID = 1;

function config(sharing: CounterMode): IopfConfig {
  return { devices: 1, domains: 1, threads: 2, requests: 8192, workEntries: 1024, sharing, checked: false };
}

/** Hardware that needs no telling. */
const OPS: IommuOps = { pageResponse() {}, flushResponses() {} };

class OneThread {
  readonly #words: Words;
  readonly #path: FaultPath;
  readonly #handler: HandlerThread;
  #next = 0;

  constructor(generation: Generation, sharing: CounterMode) {
    const arena = Arena.create(planArena(iopfRegions(config(sharing))));
    initIopf(arena, config(sharing));
    const system = new IopfSystem(arena, SELF);
    system.reader.online();
    this.#words = arena.words;
    this.#path = openFaultPath(generation, system, OPS, new WorkSink(system));
    const work = new WorkSource(system, SELF, 1, BATCH);
    this.#handler = new HandlerThread({ system, path: this.#path, ops: OPS, work, mms: [] });
    const domain = allocDomain(system, { handler: HANDLER_NOOP });
    this.#path.addDevice(DEVICE);
    attachDomain(system, DEVICE, PASID, domain);
  }

  report(): void {
    for (let batch = 0; batch < BATCHES; batch++) {
      for (let i = 0; i < BATCH; i++) this.#reportOne();
      this.#path.endBatch();
    }
  }
  #reportOne(): void {
    const words = this.#words;
    const fault = this.#next++;
    const at = this.#path.prepareFault();
    words[at + FAULT_DEVICE] = DEVICE;
    words[at + FAULT_FLAGS] = FAULT_FLAG_PASID_VALID | FAULT_FLAG_LAST_PAGE;
    words[at + FAULT_PASID] = PASID;
    words[at + FAULT_GRPID] = fault & 0xffff;
    words[at + FAULT_PERM] = FAULT_PERM_READ;
    words[at + FAULT_PAGE_LO] = fault | 0;
    words[at + FAULT_PAGE_HI] = 0;
    words[at + FAULT_TOKEN] = 1;
    this.#path.reportDeviceFault(at);
  }

  /** @returns how many were answered and freed. */
  respond(): number {
    let answered = 0;
    for (let taken = this.#handler.step(); taken !== 0; taken = this.#handler.step()) answered += taken;
    return answered;
  }
}

function subject(generation: Generation, sharing: CounterMode): Subject {
  return {
    name: sharing === 'split' ? `fault, ${generation}` : `fault, ${generation}, ${sharing}`,
    costs() {
      const thread = new OneThread(generation, sharing);
      return [
        {
          name: `report, ${BATCH} a batch`,
          operations: FAULTS,
          before: () => void thread.respond(),
          run: () => thread.report(),
        },
        {
          name: 'respond and free',
          operations: FAULTS,
          before() {
            thread.respond();
            thread.report();
          },
          run: () => void thread.respond(),
        },
      ];
    },
  };
}

/** A fault's two halves, with a handler and a driver that do nothing. Shared: counters and free lists are those of all threads. */
export const faultPathSubjects: readonly Subject[] = [
  ...[...GENERATIONS].reverse().map((generation) => subject(generation, 'split')),
  subject('lockless', 'shared'),
];
