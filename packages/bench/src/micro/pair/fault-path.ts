// A fault end to end between two busy threads: the first is device, hardware and interrupt thread, the second handles. One
// device, one queue, a handler that does nothing: what is left is the path. Records and commands are bit-exact all the way.
import {
  Arena,
  allocDomain,
  attachDomain,
  type Clock,
  type CounterMode,
  Doorbell,
  doorbellWords,
  FAULT_PERM_READ,
  type Generation,
  HANDLER_NOOP,
  HandlerThread,
  type IopfConfig,
  IopfSystem,
  initDoorbell,
  initIopf,
  iopfRegions,
  openFaultPath,
  planArena,
  type RegionSpec,
  type ThreadSelf,
  type Words,
  WorkSink,
  WorkSource,
} from '@faultline/core';
import {
  EventPump,
  initSmmu,
  initStallPort,
  type SmmuConfig,
  SmmuDriver,
  SmmuHardware,
  SmmuOps,
  StallPort,
  smmuAnnounceBase,
  smmuWords,
  stallPortWords,
} from '@faultline/hw';
import { type Bench, LOOKS, type PairCase, standBy } from './case.ts';

const PORTS = 4;
const PORT_PAGES = 256;
const OUTSTANDING: number = PORTS * PORT_PAGES;
const PUMP_BUDGET = 256;
const HANDLER_BATCH = 128;
const DEVICE = 1;
const PASID = 1;
const SPINS = 1000;

const SMMU: SmmuConfig = {
  eventQueueEntries: 1024,
  commandQueueEntries: 1024,
  commandQueues: 2,
  stallMax: OUTSTANDING,
  streams: 2,
  ports: PORTS,
};

function iopfConfig(sharing: CounterMode): IopfConfig {
  return {
    devices: 1,
    domains: 1,
    threads: 2,
    requests: 4 * OUTSTANDING,
    workEntries: OUTSTANDING,
    sharing,
    checked: false,
  };
}
function regions(sharing: CounterMode): RegionSpec[] {
  return [
    ...iopfRegions(iopfConfig(sharing)),
    { name: 'smmu', words: smmuWords(SMMU) },
    { name: 'ports', words: PORTS * stallPortWords(PORT_PAGES) },
    { name: 'bells', words: 3 * doorbellWords() },
  ];
}

/** The arena inside the harness's words: its regions, moved to where the harness has room for them. */
function arenaIn(words: Words, base: number, sharing: CounterMode): Arena {
  const plan = planArena(regions(sharing));
  return Arena.open({
    buffer: words.buffer,
    regions: plan.regions.map((region) => ({ ...region, base: region.base + base })),
  });
}

interface Bells {
  readonly hardware: Doorbell;
  readonly interrupt: Doorbell;
  readonly device: number;
}
function bellsOf(arena: Arena): Bells {
  const base = arena.base('bells');
  return {
    hardware: new Doorbell(arena.words, base),
    interrupt: new Doorbell(arena.words, base + doorbellWords()),
    device: base + 2 * doorbellWords(),
  };
}

/** Device, hardware and interrupt thread in one. Latency is not measured here: no clock is read. */
class FaultSide {
  readonly system: IopfSystem;
  readonly #ports: StallPort[];
  readonly #hardware: SmmuHardware;
  readonly #pump: EventPump;
  #next = 0;

  constructor(arena: Arena, generation: Generation) {
    const { words } = arena;
    const self: ThreadSelf = { id: 1, spins: SPINS };
    const bells = bellsOf(arena);
    const noClock: Clock = () => 0;
    const bases = Array.from({ length: PORTS }, (_, port) => arena.base('ports') + port * stallPortWords(PORT_PAGES));
    this.system = new IopfSystem(arena, self);
    const ops = new SmmuOps(words, arena.base('smmu'), 0, { hardwareDoorbell: bells.hardware });
    const path = openFaultPath(generation, this.system, ops, new WorkSink(this.system));
    this.#ports = bases.map((base) => new StallPort(words, base));
    this.#hardware = new SmmuHardware(words, arena.base('smmu'), {
      ports: bases,
      irq: bells.interrupt,
      clock: noClock,
    });
    this.#pump = new EventPump(words, arena.base('smmu'), { reporter: path, ops });
    const domain = allocDomain(this.system, { handler: HANDLER_NOOP });
    path.addDevice(DEVICE);
    attachDomain(this.system, DEVICE, PASID, domain);
    this.driver = new SmmuDriver(words, arena.base('smmu'), { ops, hardwareDoorbell: bells.hardware });
  }

  readonly driver: SmmuDriver;

  /** Switches the SMMU on: the driver waits while the hardware, on this same thread, is given its turns. */
  async enable(): Promise<void> {
    const done = (async () => {
      await this.driver.enable();
      await this.driver.attachStream(DEVICE, DEVICE, { stall: true, substreams: PASID + 1 });
      return true;
    })();
    const turn = (): Promise<false> => new Promise((resolve) => setImmediate(() => resolve(false)));
    while (!(await Promise.race([done, turn()]))) this.#hardware.pump(1);
  }

  /** Sends `items` faults round. @returns how many came back. */
  run(items: number, words: Words): number {
    let posted = 0;
    let resumed = 0;
    for (let looks = 0; resumed < items; ) {
      let moved = 0;
      const port = this.#ports[this.#next]; // rounds come back in the order in which they went
      if (port.isDone()) {
        this.#next = (this.#next + 1) % PORTS;
        resumed += port.posted;
        port.reset();
        for (let i = Math.min(PORT_PAGES, items - posted); i > 0; i--) port.post(posted++, 0, FAULT_PERM_READ, 0);
        port.publish();
      }
      moved += this.#hardware.pump(PUMP_BUDGET);
      moved += this.#pump.pump(PUMP_BUDGET);
      if (moved !== 0) looks = 0;
      else if (++looks > LOOKS) looks = standBy(words);
    }
    return resumed;
  }
}

class HandlerSide {
  readonly system: IopfSystem;
  readonly #thread: HandlerThread;

  constructor(arena: Arena, generation: Generation) {
    const { words } = arena;
    const self: ThreadSelf = { id: 2, spins: SPINS };
    this.system = new IopfSystem(arena, self);
    const ops = new SmmuOps(words, arena.base('smmu'), 1, { hardwareDoorbell: bellsOf(arena).hardware });
    const path = openFaultPath(generation, this.system, ops, new WorkSink(this.system));
    const work = new WorkSource(this.system, self, 1, HANDLER_BATCH);
    this.#thread = new HandlerThread({ system: this.system, path, ops, work, mms: [] });
  }

  run(items: number, words: Words): number {
    let handled = 0;
    for (let looks = 0; handled < items; ) {
      const taken = this.#thread.step();
      handled += taken;
      if (taken !== 0) looks = 0;
      else if (++looks > LOOKS) looks = standBy(words);
    }
    return handled;
  }
}

// One rig a thread and case: a side is called once a round, and goes on with what it had.
const rigs = new Map<string, FaultSide | HandlerSide>();

async function faultSide(bench: Bench, generation: Generation, sharing: CounterMode): Promise<number> {
  let side = rigs.get(generation + sharing) as FaultSide | undefined;
  if (side === undefined) {
    side = new FaultSide(arenaIn(bench.words, bench.base, sharing), generation);
    await side.enable();
    rigs.set(generation + sharing, side);
  }
  side.system.reader.online();
  const resumed = side.run(bench.items, bench.words);
  side.system.reader.offline();
  return resumed;
}

function handlerSide(bench: Bench, generation: Generation, sharing: CounterMode): number {
  let side = rigs.get(generation + sharing) as HandlerSide | undefined;
  if (side === undefined) {
    side = new HandlerSide(arenaIn(bench.words, bench.base, sharing), generation);
    rigs.set(generation + sharing, side);
  }
  side.system.reader.online();
  const handled = side.run(bench.items, bench.words);
  side.system.reader.offline();
  return handled;
}

function faultCase(name: string, generation: Generation, sharing: CounterMode, peerOf?: string): PairCase {
  const plan = planArena(regions(sharing));
  return {
    name,
    kind: 'throughput',
    ...(peerOf === undefined ? {} : { peerOf }),
    words: plan.totalWords,
    init(words, base) {
      const arena = arenaIn(words, base, sharing);
      initIopf(arena, iopfConfig(sharing));
      initSmmu(words, arena.base('smmu'), SMMU);
      for (let bell = 0; bell < 3; bell++) initDoorbell(words, arena.base('bells') + bell * doorbellWords());
      for (let port = 0; port < PORTS; port++)
        initStallPort(words, arena.base('ports') + port * stallPortWords(PORT_PAGES), {
          capacity: PORT_PAGES,
          port,
          streamId: DEVICE,
          substreamId: PASID,
          wakeAt: bellsOf(arena).device,
          announceBase: smmuAnnounceBase(words, arena.base('smmu')),
          doorbellBase: arena.base('bells'),
        });
    },
    sides: [(bench) => faultSide(bench, generation, sharing), (bench) => handlerSide(bench, generation, sharing)],
    check: (items) => items,
  };
}

export const FAULT_LOCKLESS: string = `fault end to end, lockless, ${OUTSTANDING} outstanding`;

export const faultPathCases: readonly PairCase[] = [
  faultCase(FAULT_LOCKLESS, 'lockless', 'split'),
  faultCase('fault end to end, lockless, counters and lists shared', 'lockless', 'shared', FAULT_LOCKLESS),
  faultCase('fault end to end, mainline', 'mainline', 'split', FAULT_LOCKLESS),
  faultCase('fault end to end, v7', 'v7', 'split', FAULT_LOCKLESS),
  faultCase('fault end to end, locked', 'locked', 'split', FAULT_LOCKLESS),
];
