import { AtsCapability } from '../pcie/ats-capability.ts';
import type { PriHostOptions, PriHostTraits } from '../pcie/testing/index.ts';
import { DEVICE, LocklessHost, type PriSteps } from '../pcie/testing/lockless-host.ts';
import type { Procedure } from '../procedure/procedure.ts';
import { queueOverflowed } from '../queue/index.ts';
import {
  CR0_CMDQEN,
  CR0_EVTQEN,
  CR0_PRIQEN,
  CR0_SMMUEN,
  EventPump,
  initSmmu,
  PriqPump,
  type SmmuConfig,
  SmmuHardware,
  SmmuOps,
  STE_ABORT,
  STE_TRANSLATE,
  smmuPriAnnounceBase,
  smmuWords,
  writeStream,
} from './index.ts';
import {
  SMMU_CR0,
  SMMU_GERROR,
  SMMU_GERRORN,
  SMMU_PRIQ_CONS,
  SMMU_PRIQ_PROD,
  STE_MASTER,
  streamEntryAt,
} from './layout.ts';

const RID = 3;
const STEP = Promise.resolve(); // what a step waits for that the other threads' turns alone bring on

/** An SMMU at core's lockless fault path. Page requests are off for a function when its stream has no driver: the queue itself is
 * everybody's. */
export class SmmuPriHost extends LocklessHost<SmmuHardware, PriqPump, SmmuOps> {
  readonly traits: PriHostTraits = { onOverflow: 'success', onOff: 'failure', takesPlain: true };
  protected readonly off: PriSteps;
  readonly #events: EventPump;

  constructor(options: PriHostOptions) {
    const queues = {
      eventQueueEntries: 16,
      commandQueueEntries: 1024,
      commandQueues: 1,
      priQueueEntries: options.entries,
    };
    const smmu: SmmuConfig = { ...queues, stallMax: 4, streams: 8, ports: 1, priPorts: 1 };
    super(options, {
      rid: RID,
      words: smmuWords(smmu),
      init(words, base) {
        initSmmu(words, base, smmu);
        Atomics.store(words, base + SMMU_CR0, CR0_SMMUEN | CR0_CMDQEN | CR0_EVTQEN | CR0_PRIQEN);
      },
      announceBase: smmuPriAnnounceBase,
      hardware: ({ words, base, portAt, irq }) =>
        new SmmuHardware(words, base, { ports: [], priPorts: [portAt], irq, clock: () => 0 }),
      ops: ({ words, base, hardwareDoorbell }) => new SmmuOps(words, base, 0, { hardwareDoorbell }),
      pump: ({ words, base }, reporter, ops) => new PriqPump(words, base, { reporter, ops }),
    });
    this.#events = new EventPump(this.words, this.base, { reporter: this.path, ops: this.ops });
    this.off = {
      *blockDevice() {}, // PRI is off at the function; its stream goes on until it has its answers
      fenceEventQueue: () => this.#fence(),
      *fenceResponses() {
        yield STEP;
      },
      disablePri: () => this.#forget(),
    };
    new AtsCapability(this.words, this.functionAt).enable(12);
    this.attach();
  }

  override turn(): boolean {
    const events = this.#events.pump(64);
    return super.turn() || events !== 0;
  }

  protected attachDriver(): void {
    this.#setStream(STE_TRANSLATE);
    this.pri.enable(this.credits);
  }

  verify(): void {
    if (this.load(SMMU_GERROR) !== this.load(SMMU_GERRORN)) throw new Error('a global error is active');
    if (!this.pump.needsWork() && queueOverflowed(this.load(SMMU_PRIQ_PROD), this.load(SMMU_PRIQ_CONS)))
      throw new Error('the overflow was never acknowledged');
    if (this.ops.recovered !== 0) throw new Error('the hardware refused a command');
  }

  *#fence(): Procedure {
    yield STEP;
    this.settle();
  }

  *#forget(): Procedure {
    this.#setStream(STE_ABORT);
    Atomics.store(this.words, streamEntryAt(this.words, this.base, RID) + STE_MASTER, 0);
    yield STEP;
  }

  #setStream(config: number): void {
    writeStream(this.words, this.base, RID, {
      ...{ config, stall: false, substreams: 16, device: DEVICE, pasidInResponses: true },
    });
    this.ops.invalidateStream(RID);
    this.ops.flushResponses();
    this.runHardware();
  }
}
