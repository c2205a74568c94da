// SMMUv3: accesses stall in ports of the hardware's own; each thread has a command queue.
import { layoutOffset } from '@faultline/core/memory';
import {
  EventPump,
  initSmmu,
  initStallPort,
  PriqPump,
  readSmmuStats,
  type SmmuConfig,
  SmmuDriver,
  SmmuHardware,
  SmmuOps,
  STAT_NAMES,
  StallPort,
  smmuAnnounceBase,
  smmuLayout as smmuUnitLayout,
  smmuWords,
  stallPortWords,
} from '@faultline/hw/smmu-v3';
import {
  deviceOf,
  type FamilyLayout,
  type FamilySizes,
  IOMMU_REGION,
  type OpenFaultPort,
  type OpenHardware,
  type OpenInterrupt,
  type OpenIssuer,
  PASID,
  PORTS_REGION,
  portBaseOf,
  portPlaces,
  type QueueControl,
} from './family.ts';
import { inTurn } from './in-turn.ts';

const COMMAND_ENTRIES = 1024;
/** The PRI queue is on as it is in a machine that has one; no function sends page requests here. */
const PRI_ENTRIES = 64;
const INTERRUPT_QUEUE = 0;
const SUBSTREAMS = 2;
/** The address space's identifier. */
const ASID = 1;
/** OVFLG in PROD, OVACKFLG in CONS: they differ until the overflow is acknowledged. */
const OVERFLOW: number = (2 ** 31) | 0;

function configOf(sizes: FamilySizes): SmmuConfig {
  return {
    eventQueueEntries: sizes.queueEntries,
    commandQueueEntries: COMMAND_ENTRIES,
    priQueueEntries: PRI_ENTRIES,
    commandQueues: sizes.issuers,
    stallMax: sizes.stallMax,
    streams: sizes.devices + 1,
    ports: sizes.threads,
  };
}

export const smmuLayout: FamilyLayout = {
  queues: [
    { name: 'command-queue', host: 'hardware' },
    { name: 'event-queue', host: 'interrupt' },
    { name: 'pri-queue', host: 'interrupt' },
  ],
  hasEndpoints: false,
  regions: (sizes) => [
    { name: IOMMU_REGION, words: smmuWords(configOf(sizes)) },
    { name: PORTS_REGION, words: sizes.threads * stallPortWords(sizes.pagesPerJob) },
  ],
  init(arena, sizes, cell) {
    const { words } = arena;
    const base = arena.base(IOMMU_REGION);
    initSmmu(words, base, configOf(sizes));
    const announceBase = smmuAnnounceBase(words, base);
    const places = portPlaces(arena, sizes, false);
    for (let thread = 0; thread < sizes.threads; thread++)
      initStallPort(words, portBaseOf(places, thread), {
        capacity: sizes.pagesPerJob,
        port: thread,
        streamId: deviceOf(thread, sizes.devices),
        substreamId: PASID,
        wakeAt: cell.wakeOf(thread),
        announceBase,
        doorbellBase: cell.hardwareDoorbell,
      });
  },
  readStats: (arena) => ({
    overflows: readSmmuStats(arena.words, arena.base(IOMMU_REGION)).overflows,
    automatic: 0, // a stall waits in its port
  }),
};

export const openSmmuHardware: OpenHardware = (arena, parts) =>
  new SmmuHardware(arena.words, arena.base(IOMMU_REGION), parts);

export const openSmmuIssuer: OpenIssuer = (arena, { issuer, self, hardwareDoorbell }) => {
  const ops = new SmmuOps(arena.words, arena.base(IOMMU_REGION), issuer, { hardwareDoorbell });
  return {
    ops,
    notifier: {
      invalidateRange(pageLo, pageHi, pages) {
        ops.invalidateRange(ASID, pageLo, pageHi, pages);
        ops.sync(self);
      },
    },
  };
};

export const openSmmuInterrupt: OpenInterrupt = (arena, { hardwareDoorbell }) => {
  const { words } = arena;
  const base = arena.base(IOMMU_REGION);
  const ops = new SmmuOps(words, base, INTERRUPT_QUEUE, { hardwareDoorbell });
  const driver = new SmmuDriver(words, base, { ops, hardwareDoorbell });
  const turn = inTurn();
  const queueControl = (
    queue: 'EVTQ' | 'PRIQ',
    stat: (typeof STAT_NAMES)[number],
    parts: Pick<QueueControl, 'pump' | 'enable' | 'disable'>,
  ): QueueControl => {
    const [prod, cons] = ['PROD', 'CONS'].map((end) => base + layoutOffset(smmuUnitLayout, `${queue}_${end}`));
    const overflows = base + layoutOffset(smmuUnitLayout, 'STATS') + STAT_NAMES.indexOf(stat);
    return {
      ...parts,
      overflows: () => words[overflows],
      isOverflowed: () => ((Atomics.load(words, prod) ^ Atomics.load(words, cons)) & OVERFLOW) !== 0,
    };
  };
  return {
    ops,
    control: (path) => ({
      queues: {
        'event-queue': queueControl('EVTQ', 'overflows', {
          pump: new EventPump(words, base, { reporter: path, ops }),
          enable: () => turn(() => driver.enable()),
          disable: () => turn(() => driver.disableEventQueue()),
        }),
        'pri-queue': queueControl('PRIQ', 'priOverflows', {
          pump: new PriqPump(words, base, { reporter: path, ops }),
          enable: () => turn(() => driver.enablePriQueue()),
          disable: () => turn(() => driver.disablePriQueue()),
        }),
      },
      attach: (device) => driver.attachStream(device, device, { stall: true, substreams: SUBSTREAMS }),
      blockDevice: (device) => driver.blockStream(device),
      fenceEvents: () => driver.fenceEventQueue(),
      fenceResponses: async () => {
        ops.flushResponses();
        await driver.fenceCommands();
      },
      disablePri: (device) => driver.detachStream(device),
      invalidateCaches: async () => {}, // no device keeps translations
    }),
  };
};

export const openStallPort: OpenFaultPort = (words, places, { thread }) => ({
  port: new StallPort(words, portBaseOf(places, thread)),
  endpoint: undefined,
});
