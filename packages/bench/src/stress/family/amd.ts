// AMD: page requests of PCIe endpoints in the PPR log, one command buffer under a mutex for answers and invalidations of all threads.
import { layoutOffset } from '@faultline/core/memory';
import {
  AMD_STAT_NAMES,
  type AmdConfig,
  AmdDriver,
  AmdEventPump,
  AmdHardware,
  AmdOps,
  amdAnnounceBase,
  amdLayout as amdUnitLayout,
  amdWords,
  INV_TIMEOUT_NONE,
  initAmd,
  LAST_PAGE_NUMBER,
  readAmdStats,
  STATUS_EVT_OVERFLOW,
  STATUS_EVT_RUN,
  STATUS_PPR_OVERFLOW,
  STATUS_PPR_RUN,
} from '@faultline/hw/amd';
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

const EVENT_ENTRIES = 512;
const COMMAND_ENTRIES = 2048;
/** Domain id of every device: one process's address space is behind all of them. */
const DOMAIN = 1;
/** Root of the process's page table. Nobody walks it: the devices find pages in the address space itself. */
const ROOT_PAGE = 0x1000;
/** Device threads share the processors with everybody else. */
const DEVICE_TIMEOUT_MS = 60_000;
const STATUS: number = layoutOffset(amdUnitLayout, 'STATUS');
const STATS: number = layoutOffset(amdUnitLayout, 'STATS');
const PPR_OVERFLOWS: number = STATS + AMD_STAT_NAMES.indexOf('pprOverflows');
const EVENTS_LOST: number = STATS + AMD_STAT_NAMES.indexOf('eventsLost');

function configOf(sizes: FamilySizes): AmdConfig {
  return {
    pprEntries: sizes.queueEntries,
    eventEntries: EVENT_ENTRIES,
    commandEntries: Math.max(COMMAND_ENTRIES, 2 ** Math.ceil(Math.log2(sizes.commands + 1))),
    devices: allDevices(sizes) + 1,
    ports: allPorts(sizes),
    gcr3Tables: allDevices(sizes),
  };
}

export const amdLayout: FamilyLayout = {
  queues: [
    { name: 'command-buffer', host: 'hardware' },
    { name: 'ppr-log', host: 'interrupt' },
    { name: 'event-log', host: 'interrupt' },
  ],
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

export const openAmdIssuer: OpenIssuer = (arena, { self, hardwareDoorbell, caches }) => {
  const { words } = arena;
  const ops = new AmdOps(words, arena.base(IOMMU_REGION), { self, hardwareDoorbell, timeoutMs: DEVICE_TIMEOUT_MS });
  return {
    ops,
    notifier: {
      invalidateRange(pageLo, pageHi, pages) {
        const first = pageHi * 2 ** 32 + (pageLo >>> 0);
        ops.invalidatePages(DOMAIN, PASID, first, first + pages - 1);
        if (caches === undefined) {
          ops.sync();
          return;
        }
        // The domain's pages first, or a device fills its cache again from those.
        for (let device = 1; device <= caches.devices; device++) {
          ops.invalidateIotlb(device, PASID, first, first + pages - 1);
          if (device % DEVICES_PER_BATCH !== 0 && device !== caches.devices) continue;
          const steps = ops.syncSteps();
          for (let step = steps.next(); step.done !== true; step = steps.next()) {
            const waiting = step.value;
            if (!('at' in waiting)) throw new Error('a sync waits for words alone');
            serveWhile(words, waiting.at, waiting.seen, caches);
          }
        }
      },
    },
  };
};

export const openAmdInterrupt: OpenInterrupt = (arena, parts) => {
  const { self, hardwareDoorbell, clock, devices, hostile, onOwnAnswer } = parts;
  const { words } = arena;
  const base = arena.base(IOMMU_REGION);
  const ops = new AmdOps(words, base, { self, hardwareDoorbell });
  const driverOps = new AmdOps(words, base, { self, hardwareDoorbell });
  const driver = new AmdDriver(words, base, { ops: driverOps, hardwareDoorbell });
  const turn = inTurn();
  const pumpOps = onOwnAnswer === undefined ? ops : toldOf(ops, onOwnAnswer);
  return {
    ops,
    control: (path) => {
      const pump = new AmdEventPump(words, base, {
        reporter: path,
        ops: pumpOps,
        clock,
        onLost: () => {
          for (const device of devices) path.discardPartial(device);
        },
      });
      // One register has the switches of all three rings: the first queue that is enabled sets them, the last one clears them.
      let on: Promise<void> | undefined;
      // Device threads share the processors with everybody else: how late one completes an invalidation says nothing about it.
      const enable = (): Promise<void> => (on ??= turn(() => driver.enable({ invTimeout: INV_TIMEOUT_NONE })));
      const isStopped = (overflow: number, run: number): boolean =>
        (Atomics.load(words, base + STATUS) & (overflow | run)) !== run;
      return {
        queues: {
          'event-log': {
            pump,
            enable,
            overflows: () => words[base + EVENTS_LOST],
            isOverflowed: () => isStopped(STATUS_EVT_OVERFLOW, STATUS_EVT_RUN),
            disable: () => turn(() => driver.disable()),
          },
          'ppr-log': {
            pump,
            enable,
            overflows: () => words[base + PPR_OVERFLOWS],
            isOverflowed: () => isStopped(STATUS_PPR_OVERFLOW, STATUS_PPR_RUN),
            disable: () => turn(() => driver.switchPageRequests(false)),
          },
        },
        attach: (device) =>
          turn(async () => {
            const { pri, ats } = capabilitiesOf(arena, device);
            driver.bindDevice(device, device, { pri, ats });
            await driver.attach(device, { kind: 'identity', domain: DOMAIN });
            await driver.attachPasid(device, PASID, ROOT_PAGE);
            await driver.enablePri(device, pri.capacity);
          }),
        attachPasid: (device, pasid) =>
          turn(async () => {
            if (pasid !== 0) await driver.attachPasid(device, pasid, ROOT_PAGE);
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
            const { pri } = capabilitiesOf(arena, device);
            if (device === hostile && !pri.isStopped()) pri.reset();
            await driver.unbindDevice(device);
          }),
        invalidateCaches: (devices) => turn(() => driver.invalidate(DOMAIN, PASID, 0, LAST_PAGE_NUMBER, devices)),
      };
    },
  };
};

/** The pump's way to answer, which tells of it. */
function toldOf(ops: AmdOps, onAnswer: () => void): Pick<AmdOps, 'completePpr' | 'flushResponses' | 'kick'> {
  return {
    completePpr(deviceId, pasid, prgIndex, status) {
      onAnswer();
      ops.completePpr(deviceId, pasid, prgIndex, status);
    },
    flushResponses: () => ops.flushResponses(),
    kick: () => ops.kick(),
  };
}
