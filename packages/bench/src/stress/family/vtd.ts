// VT-d: page requests of PCIe endpoints, one invalidation queue under a mutex for answers and invalidations of all threads.
import { layoutOffset } from '@faultline/core/memory';
import { TICKS_PER_MS } from '@faultline/core/sync';
import {
  EventPump,
  initVtd,
  PRS_PRO,
  readVtdStats,
  VTD_STAT_NAMES,
  type VtdConfig,
  VtdDriver,
  VtdHardware,
  VtdOps,
  vtdAnnounceBase,
  vtdLayout as vtdUnitLayout,
  vtdWords,
} from '@faultline/hw/vtd';
import { capabilitiesOf, endpointRegions, initEndpoints } from './endpoints.ts';
import {
  allDevices,
  allPorts,
  DEVICES_PER_BATCH,
  type FamilyLayout,
  type FamilySizes,
  IOMMU_REGION,
  type OpenHardware,
  type OpenInterrupt,
  type OpenIssuer,
  PASID,
} from './family.ts';
import { inTurn } from './in-turn.ts';
import { serveWhile } from './serve-while.ts';

/** Descriptors in a page of the page request queue. */
const REQUESTS_PER_PAGE = 128;
/** Descriptors in a page of the invalidation queue, and its least size: 2^4 pages, 2048 descriptors. */
const DESCRIPTORS_PER_PAGE = 128;
const INVALIDATION_ORDER = 4;
/** Domain of the address space. */
const DID = 1;
const PAGE_LG2 = 12;
/** Device threads share the processors with everybody else: how late one completes an invalidation says nothing about it. */
const DEVICE_TIMEOUT_MS = 60_000;
const DEVICE_TIMEOUT_TICKS: number = DEVICE_TIMEOUT_MS * TICKS_PER_MS;
const OVERFLOWS: number = layoutOffset(vtdUnitLayout, 'STATS') + VTD_STAT_NAMES.indexOf('overflows');
const PRS: number = layoutOffset(vtdUnitLayout, 'PRS');

function configOf(sizes: FamilySizes): VtdConfig {
  return {
    requestOrder: Math.log2(sizes.queueEntries / REQUESTS_PER_PAGE),
    invalidationOrder: Math.max(INVALIDATION_ORDER, Math.ceil(Math.log2((sizes.commands + 1) / DESCRIPTORS_PER_PAGE))),
    rids: allDevices(sizes) + 1,
    ports: allPorts(sizes),
    threads: sizes.issuers + 1, // the driver beside the pump
  };
}

export const vtdLayout: FamilyLayout = {
  queues: [
    { name: 'invalidation-queue', host: 'hardware' },
    { name: 'page-request-queue', host: 'interrupt' },
  ],
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

export const openVtdIssuer: OpenIssuer = (arena, { issuer, self, hardwareDoorbell, caches }) => {
  const { words } = arena;
  const ops = new VtdOps(words, arena.base(IOMMU_REGION), issuer, {
    self,
    hardwareDoorbell,
    timeoutMs: DEVICE_TIMEOUT_MS,
  });
  return {
    ops,
    notifier: {
      invalidateRange(pageLo, pageHi, pages) {
        ops.invalidateRange(DID, PASID, pageLo, pageHi, pages);
        if (caches === undefined) {
          ops.sync(self);
          return;
        }
        // The unit's own cache first, or a device fills its again from that.
        for (let device = 1; device <= caches.devices; device++) {
          ops.invalidateDevice(device, PASID, pageLo, pageHi, pages);
          if (device % DEVICES_PER_BATCH !== 0 && device !== caches.devices) continue;
          const seen = Atomics.load(words, ops.statusAt);
          ops.begin();
          while (!ops.isOver()) serveWhile(words, ops.statusAt, seen, caches);
        }
      },
    },
  };
};

export const openVtdInterrupt: OpenInterrupt = (arena, parts) => {
  const { self, hardwareDoorbell, spareIssuer, hostile, onOwnAnswer } = parts;
  const { words } = arena;
  const base = arena.base(IOMMU_REGION);
  const ops = new VtdOps(words, base, 0, { self, hardwareDoorbell });
  const driverOps = new VtdOps(words, base, spareIssuer, { self, hardwareDoorbell });
  const driver = new VtdDriver(words, base, { ops: driverOps, hardwareDoorbell });
  const turn = inTurn();
  const pumpOps = onOwnAnswer === undefined ? ops : toldOf(ops, onOwnAnswer);
  return {
    ops,
    control: (path) => ({
      queues: {
        'page-request-queue': {
          pump: new EventPump(words, base, { reporter: path, ops: pumpOps }),
          enable: () => turn(() => driver.enable()),
          overflows: () => words[base + OVERFLOWS],
          isOverflowed: () => (Atomics.load(words, base + PRS) & PRS_PRO) !== 0,
          disable: () => turn(() => driver.disable()),
        },
      },
      attach: (device) =>
        turn(async () => {
          const { pri, ats } = capabilitiesOf(arena, device);
          await driver.attachDevice(device, device);
          ats.enable(PAGE_LG2);
          await driver.attach(device, PASID, { kind: 'first-level', did: DID, faults: true });
          pri.enable(pri.capacity);
        }),
      attachPasid: (device, pasid) =>
        turn(() => driver.attach(device, pasid, { kind: 'first-level', did: DID, faults: true })),
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
          if (device === hostile && !pri.isStopped()) pri.reset();
          await driver.detachDevice(device);
          ats.disable();
        }),
      invalidateCaches: (devices) =>
        turn(async () => {
          driverOps.invalidateAll(DID, PASID);
          for (let at = 0; at < devices.length; at += DEVICES_PER_BATCH) {
            for (const device of devices.slice(at, at + DEVICES_PER_BATCH)) driverOps.invalidateDevice(device, PASID);
            await driverOps.syncAsync();
          }
        }),
    }),
  };
};

/** The pump's way to answer, which tells of it. */
function toldOf(ops: VtdOps, onAnswer: () => void): Pick<VtdOps, 'respond' | 'flushResponses' | 'recover'> {
  return {
    respond(rid, pasid, prgi, code) {
      onAnswer();
      ops.respond(rid, pasid, prgi, code);
    },
    flushResponses: () => ops.flushResponses(),
    recover: () => ops.recover(),
  };
}
