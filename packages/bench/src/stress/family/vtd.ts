// VT-d: page requests of PCIe endpoints, one invalidation queue under a mutex for answers and invalidations of all threads.
import { TICKS_PER_MS } from '@faultline/core/sync';
import {
  EventPump,
  initVtd,
  readVtdStats,
  type VtdConfig,
  VtdDriver,
  VtdHardware,
  VtdOps,
  vtdAnnounceBase,
  vtdWords,
} from '@faultline/hw/vtd';
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

/** Descriptors in a page of the page request queue. */
const REQUESTS_PER_PAGE = 128;
/** Invalidation queue: 2^4 pages, 2048 descriptors. */
const INVALIDATION_ORDER = 4;
/** Domain of the address space. */
const DID = 1;
const PAGE_LG2 = 12;
/** Device threads share the processors with everybody else: how late one completes an invalidation says nothing about it. */
const DEVICE_TIMEOUT_TICKS: number = 60_000 * TICKS_PER_MS;

function configOf(sizes: FamilySizes): VtdConfig {
  return {
    requestOrder: Math.log2(sizes.queueEntries / REQUESTS_PER_PAGE),
    invalidationOrder: INVALIDATION_ORDER,
    rids: sizes.devices + 1,
    ports: sizes.threads,
    threads: sizes.issuers + 1, // the driver beside the pump
  };
}

export const vtdLayout: FamilyLayout = {
  hasEndpoints: true,
  regions: (sizes) => [{ name: IOMMU_REGION, words: vtdWords(configOf(sizes)) }, ...endpointRegions(sizes)],
  init(arena, sizes, cell) {
    const base = arena.base(IOMMU_REGION);
    initVtd(arena.words, base, configOf(sizes));
    initEndpoints(arena, sizes, cell, vtdAnnounceBase(arena.words, base));
  },
  readStats(arena) {
    const { overflows, autoSuccess } = readVtdStats(arena.words, arena.base(IOMMU_REGION));
    return { overflows, automatic: autoSuccess };
  },
};

export const openVtdHardware: OpenHardware = (arena, parts) =>
  new VtdHardware(arena.words, arena.base(IOMMU_REGION), { ...parts, invalidationTimeoutTicks: DEVICE_TIMEOUT_TICKS });

export const openVtdIssuer: OpenIssuer = (arena, { issuer, self, hardwareDoorbell }) => {
  const ops = new VtdOps(arena.words, arena.base(IOMMU_REGION), issuer, { self, hardwareDoorbell });
  return {
    ops,
    notifier: {
      invalidateRange(pageLo, pageHi, pages) {
        ops.invalidateRange(DID, PASID, pageLo, pageHi, pages);
        ops.sync(self);
      },
    },
  };
};

export const openVtdInterrupt: OpenInterrupt = (arena, { self, hardwareDoorbell, spareIssuer }) => {
  const { words } = arena;
  const base = arena.base(IOMMU_REGION);
  const ops = new VtdOps(words, base, 0, { self, hardwareDoorbell });
  const driver = new VtdDriver(words, base, {
    ops: new VtdOps(words, base, spareIssuer, { self, hardwareDoorbell }),
    hardwareDoorbell,
  });
  const turn = inTurn();
  return {
    ops,
    control: (path) => ({
      pump: new EventPump(words, base, { reporter: path, ops }),
      enable: () => turn(() => driver.enable()),
      attach: (device) =>
        turn(async () => {
          const { pri, ats } = capabilitiesOf(arena, device);
          await driver.attachDevice(device, device);
          ats.enable(PAGE_LG2);
          await driver.attach(device, PASID, { kind: 'first-level', did: DID, faults: true });
          pri.enable(pri.capacity);
        }),
      blockDevice: (device) => turn(() => driver.blockDevice(device)),
      fenceEvents: (device) => turn(() => driver.fenceEventQueue(device)),
      fenceResponses: (device) => {
        ops.flushResponses();
        return turn(() => driver.fenceResponses(device));
      },
      disablePri: (device) =>
        turn(async () => {
          const { pri, ats } = capabilitiesOf(arena, device);
          await driver.disablePri(device);
          pri.disable();
          await driver.detachDevice(device);
          ats.disable();
        }),
      acknowledgeOverflow: async () => {}, // the pump's
      disableQueue: () => turn(() => driver.disable()),
    }),
  };
};
