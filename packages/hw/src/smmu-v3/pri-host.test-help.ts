import {
  allocDomain,
  attachDomain,
  DEVICE_PARAM,
  detachDomain,
  type FaultPath,
  HANDLER_NOOP,
  type IopfConfig,
  IopfSystem,
  initIopf,
  iopfRegions,
  openFaultPath,
  PARAM_PARTIALS,
  PARAM_WORDS,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
  WorkSink,
  WorkSource,
} from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, doorbellWords, initDoorbell, type Words } from '@faultline/core/sync';
import { AtsCapability } from '../pcie/ats-capability.ts';
import { endpointStatWords } from '../pcie/endpoint-stats.ts';
import { functionWords, initFunction } from '../pcie/function.layout.ts';
import { initPriPort, priPortWords } from '../pcie/index.ts';
import { PriCapability } from '../pcie/pri-capability.ts';
import type { PriHost, PriHostOptions, PriHostTraits } from '../pcie/testing/index.ts';
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
const DEVICE = 1;
const CORE: IopfConfig = {
  devices: 2,
  domains: 4,
  threads: 2,
  requests: 4096,
  workEntries: 2048,
  sharing: 'split',
  checked: true,
};

/** An SMMU with its PRI queue pumped into the core's lockless path, on one thread. Page requests are off for a function when its stream has no
 * driver: the queue itself is everybody's. */
export class SmmuPriHost implements PriHost {
  readonly traits: PriHostTraits = { onOverflow: 'success', onOff: 'failure', takesPlain: true };
  readonly words: Words;
  readonly portAt: number;
  readonly functionAt: number;
  readonly statsAt: number;
  readonly hardware: SmmuHardware;
  readonly pump: PriqPump;
  readonly base: number;
  readonly #options: PriHostOptions;
  readonly #pri: PriCapability;
  readonly #ops: SmmuOps;
  readonly #events: EventPump;
  readonly #system: IopfSystem;
  readonly #path: FaultPath;
  readonly #source: WorkSource;
  readonly #domain: number;
  #handled = 0;

  constructor(options: PriHostOptions) {
    const smmu: SmmuConfig = {
      eventQueueEntries: 16,
      commandQueueEntries: 1024,
      commandQueues: 1,
      stallMax: 4,
      streams: 8,
      ports: 1,
      priQueueEntries: options.entries,
      priPorts: 1,
    };
    const arena = Arena.create(
      planArena([
        ...iopfRegions(CORE),
        { name: 'smmu', words: smmuWords(smmu) },
        { name: 'irq', words: doorbellWords() },
        { name: 'hardware', words: doorbellWords() },
        { name: 'wake', words: doorbellWords() },
        { name: 'function', words: functionWords() },
        { name: 'stats', words: endpointStatWords() },
        { name: 'port', words: priPortWords(options.credits) },
      ]),
    );
    const { words } = arena;
    this.words = words;
    this.#options = options;
    this.base = arena.base('smmu');
    this.portAt = arena.base('port');
    this.functionAt = arena.base('function');
    this.statsAt = arena.base('stats');
    initIopf(arena, CORE);
    initSmmu(words, this.base, smmu);
    for (const name of ['irq', 'hardware', 'wake']) initDoorbell(words, arena.base(name));
    initFunction(words, this.functionAt, { capacity: options.credits });
    initPriPort(words, this.portAt, {
      port: 0,
      rid: RID,
      credits: options.credits,
      wakeAt: arena.base('wake'),
      announceBase: smmuPriAnnounceBase(words, this.base),
      doorbellBase: arena.base('hardware'),
    });
    Atomics.store(words, this.base + SMMU_CR0, CR0_SMMUEN | CR0_CMDQEN | CR0_EVTQEN | CR0_PRIQEN);
    this.hardware = new SmmuHardware(words, this.base, {
      ports: [],
      priPorts: [this.portAt],
      irq: new Doorbell(words, arena.base('irq')),
      clock: () => 0,
    });
    this.#ops = new SmmuOps(words, this.base, 0, { hardwareDoorbell: new Doorbell(words, arena.base('hardware')) });
    const self = { id: 1, spins: 0 };
    this.#system = new IopfSystem(arena, self);
    this.#system.reader.online();
    this.#path = openFaultPath('lockless', this.#system, this.#ops, new WorkSink(this.#system));
    this.#source = new WorkSource(this.#system, self, 1, 64);
    this.#domain = allocDomain(this.#system, { handler: HANDLER_NOOP });
    this.pump = new PriqPump(words, this.base, { reporter: this.#path, ops: this.#ops });
    this.#events = new EventPump(words, this.base, { reporter: this.#path, ops: this.#ops });
    this.#attach();
    this.#pri = new PriCapability(words, this.functionAt, [new Doorbell(words, arena.base('wake'))]);
    new AtsCapability(words, this.functionAt).enable(12);
    this.#pri.enable(options.credits);
  }

  runHardware(): void {
    while (this.hardware.pump(64) > 0);
  }

  settle(): void {
    for (let idle = 0; idle < 2; idle++) {
      const moved = this.hardware.pump(64) + this.pump.pump(64) + this.#events.pump(64) + this.#handle();
      if (moved > 0) idle = -1;
    }
  }

  handled(): number {
    return this.#handled;
  }

  pending(): number {
    const { books } = this.#path;
    return books.groups - books.answered - books.voided;
  }

  partials(): number {
    const param = Atomics.load(this.words, this.#system.deviceAt(DEVICE) + DEVICE_PARAM);
    return param === 0 ? 0 : this.words[this.#system.params.objects + param * PARAM_WORDS + PARAM_PARTIALS];
  }

  priOff(step: () => void): void {
    this.#pri.disable();
    step();
    this.settle();
    for (const pasid of [0, this.#options.pasid]) detachDomain(this.#system, DEVICE, pasid);
    this.settle();
    this.#path.discardPartial(DEVICE);
    this.#path.respondPending(DEVICE, RESPONSE_INVALID);
    this.#path.endBatch();
    this.runHardware();
    this.#path.removeDevice(DEVICE);
    this.#setStream(STE_ABORT);
    Atomics.store(this.words, streamEntryAt(this.words, this.base, RID) + STE_MASTER, 0);
    step();
    this.#settleCore();
  }

  priOn(step: () => void): void {
    if (!this.#pri.isStopped()) {
      this.#pri.reset();
      step();
    }
    this.settle();
    this.#attach();
    this.#pri.enable(this.#options.credits);
  }

  verify(): void {
    const load = (offset: number): number => Atomics.load(this.words, this.base + offset);
    if (load(SMMU_GERROR) !== load(SMMU_GERRORN)) throw new Error('a global error is active');
    if (!this.pump.needsWork() && queueOverflowed(load(SMMU_PRIQ_PROD), load(SMMU_PRIQ_CONS)))
      throw new Error('the overflow was never acknowledged');
    if (this.#ops.recovered !== 0) throw new Error('the hardware refused a command');
  }

  #attach(): void {
    this.#path.addDevice(DEVICE);
    for (const pasid of [0, this.#options.pasid]) attachDomain(this.#system, DEVICE, pasid, this.#domain);
    this.#setStream(STE_TRANSLATE);
  }

  #setStream(config: number): void {
    writeStream(this.words, this.base, RID, {
      config,
      stall: false,
      substreams: 16,
      device: DEVICE,
      pasidInResponses: true,
    });
    this.#ops.invalidateStream(RID);
    this.#ops.flushResponses();
    this.runHardware();
  }

  #handle(): number {
    let done = 0;
    for (let n = this.#source.take(); n !== 0; n = this.#source.take()) {
      for (const group of this.#source.batch.subarray(0, n)) {
        this.#path.respondGroup(group, RESPONSE_SUCCESS);
        this.#path.freeGroup(group);
        this.#handled++;
        done++;
      }
    }
    if (done > 0) this.#path.endBatch();
    return done;
  }

  #settleCore(): void {
    for (let i = 0; i < 4; i++) {
      this.#system.reader.quiescent();
      this.#path.isReleased();
      this.#system.deferredHandles.poll();
    }
  }
}
