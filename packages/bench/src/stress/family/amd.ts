// AMD: page requests of PCIe endpoints in the PPR log, one command buffer under a mutex for answers and invalidations of all threads.
import {
  type AmdConfig,
  AmdDriver,
  AmdEventPump,
  AmdHardware,
  AmdOps,
  amdAnnounceBase,
  amdWords,
  INV_TIMEOUT_NONE,
  initAmd,
  readAmdStats,
} from '@faultline/hw/amd';
import { capabilitiesOf, endpointRegions, initEndpoints } from './endpoints.ts';
import {
  type FamilyLayout,
  type FamilySizes,
  IOMMU_REGION,
  type OpenHardware,
  type OpenInterrupt,
  type OpenIssuer,
  PASID,
} from './family.ts';
import { inTurn } from './in-turn.ts';

const EVENT_ENTRIES = 512;
const COMMAND_ENTRIES = 2048;
/** Domain id of every device: one process's address space is behind all of them. */
const DOMAIN = 1;
/** Root of the process's page table. Nobody walks it: the devices find pages in the address space itself. */
const ROOT_PAGE = 0x1000;

function configOf(sizes: FamilySizes): AmdConfig {
  return {
    pprEntries: sizes.queueEntries,
    eventEntries: EVENT_ENTRIES,
    commandEntries: COMMAND_ENTRIES,
    devices: sizes.devices + 1,
    ports: sizes.threads,
    gcr3Tables: sizes.devices,
  };
}

export const amdLayout: FamilyLayout = {
  hasEndpoints: true,
  regions: (sizes) => [{ name: IOMMU_REGION, words: amdWords(configOf(sizes)) }, ...endpointRegions(sizes)],
  init(arena, sizes, cell) {
    const base = arena.base(IOMMU_REGION);
    initAmd(arena.words, base, configOf(sizes));
    initEndpoints(arena, sizes, cell, amdAnnounceBase(arena.words, base));
  },
  readStats(arena) {
    const { pprOverflows, autoAnswered } = readAmdStats(arena.words, arena.base(IOMMU_REGION));
    return { overflows: pprOverflows, automatic: autoAnswered };
  },
};

export const openAmdHardware: OpenHardware = (arena, parts) =>
  new AmdHardware(arena.words, arena.base(IOMMU_REGION), parts);

export const openAmdIssuer: OpenIssuer = (arena, { self, hardwareDoorbell }) => {
  const ops = new AmdOps(arena.words, arena.base(IOMMU_REGION), { self, hardwareDoorbell });
  return {
    ops,
    notifier: {
      invalidateRange(pageLo, pageHi, pages) {
        const first = pageHi * 2 ** 32 + (pageLo >>> 0);
        ops.invalidatePages(DOMAIN, PASID, first, first + pages - 1);
        ops.sync();
      },
    },
  };
};

export const openAmdInterrupt: OpenInterrupt = (arena, { self, hardwareDoorbell, clock, devices }) => {
  const { words } = arena;
  const base = arena.base(IOMMU_REGION);
  const ops = new AmdOps(words, base, { self, hardwareDoorbell });
  const driver = new AmdDriver(words, base, {
    ops: new AmdOps(words, base, { self, hardwareDoorbell }),
    hardwareDoorbell,
  });
  const turn = inTurn();
  return {
    ops,
    control: (path) => ({
      pump: new AmdEventPump(words, base, {
        reporter: path,
        ops,
        clock,
        onLost: () => {
          for (const device of devices) path.discardPartial(device);
        },
      }),
      // Device threads share the processors with everybody else: how late one completes an invalidation says nothing about it.
      enable: () => turn(() => driver.enable({ invTimeout: INV_TIMEOUT_NONE })),
      attach: (device) =>
        turn(async () => {
          const { pri, ats } = capabilitiesOf(arena, device);
          driver.bindDevice(device, device, { pri, ats });
          await driver.attach(device, { kind: 'identity', domain: DOMAIN });
          await driver.attachPasid(device, PASID, ROOT_PAGE);
          await driver.enablePri(device, pri.capacity);
        }),
      blockDevice: (device) => turn(() => driver.blockDevice(device)),
      fenceEvents: (device) => turn(() => driver.fenceEventQueue([device])),
      fenceResponses: () => {
        ops.flushResponses();
        return turn(() => driver.fenceResponses());
      },
      disablePri: (device) =>
        turn(async () => {
          await driver.detachPasid(device, PASID);
          await driver.disablePri(device);
          await driver.unbindDevice(device);
        }),
      acknowledgeOverflow: async () => {}, // the pump's
      disableQueue: () => turn(() => driver.disable()),
    }),
  };
};
