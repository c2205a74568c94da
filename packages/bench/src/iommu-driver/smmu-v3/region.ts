import { checkInteger } from '@faultline/core/errors';
import { type Arena, alignLine, type RegionSpec } from '@faultline/core/memory';
import { doorbellWords, initDoorbell } from '@faultline/core/sync';
import {
  CD_WORDS,
  initSmmu,
  initStallPort,
  type SmmuConfig,
  STE_ABORT,
  smmuAnnounceBase,
  smmuWords,
  stallPortWords,
  writeStream,
} from '@faultline/hw/smmu-v3';
import { initVirtual, type VirtualConfig, virtualWords } from '@faultline/hw/smmu-v3/virtual';
import { type DriverSizes, driverRegions, initDriverRegions } from '../common/index.ts';
import {
  CONTEXTS_REGION,
  DEVICE_GROUP,
  DEVICE_STALLS,
  DEVICE_STREAM,
  DEVICE_WORDS,
  DEVICES_REGION,
  HARDWARE_BELL,
  IRQ_BELL,
  SCRATCH_COMMANDS,
  SCRATCH_REGION,
  SMMU_REGION,
  VIOMMUS_REGION,
  VIRTUAL_REGION,
  VSMMU_ROW_WORDS,
  VSMMUS_REGION,
} from './layout.ts';

/** A device, which is a stream and a group of its own. */
export interface SmmuDevice {
  readonly streamId: number;
  /** Whether it survives a stall. Default true. */
  readonly canStall?: boolean;
  /** Substreams that it makes accesses with, each by a port of its own; -1: without one. Default [-1]. */
  readonly substreams?: readonly number[];
}

export interface SmmuUnitConfig extends DriverSizes {
  /** By number, the first being device 1. */
  readonly devices: readonly SmmuDevice[];
  /** Highest number of a vIOMMU: iommufd's `objects`. */
  readonly viommus: number;
  /** Bits of a PASID, 0 to 10. Default 4. */
  readonly pasidLog2?: number;
  /** vSMMUs at once. Default 4. */
  readonly vsmmus?: number;
  /** Nested domains at once. Default 32. */
  readonly nested?: number;
  /** Command queues of each Tegra241 interface, a power of two. 0, the default: the SMMU has none. */
  readonly vcmdqs?: number;
  /** Accesses that a port holds at once. Default 16. */
  readonly portSlots?: number;
  readonly identification?: SmmuConfig['identification'];
}

const DEFAULT_PASID_LG2 = 4;
const BATCH_WORDS = 64 * 4;

export function pasidLog2({ pasidLog2: log2 = DEFAULT_PASID_LG2 }: SmmuUnitConfig): number {
  return log2;
}

/** Ports of all devices, in order: where each is, and whose. */
export function portsOf({ devices }: SmmuUnitConfig): { name: string; device: number; substreamId: number }[] {
  return devices.flatMap(({ substreams = [-1] }, i) =>
    substreams.map((substreamId) => ({ name: `smmu-v3.port-${i + 1}/${substreamId}`, device: i + 1, substreamId })),
  );
}

function smmuOf(config: SmmuUnitConfig): SmmuConfig {
  const { devices, threads, identification } = config;
  return {
    eventQueueEntries: 64,
    commandQueueEntries: 64,
    commandQueues: threads,
    stallMax: 256,
    streams: 1 + Math.max(...devices.map(({ streamId }) => streamId)),
    ports: portsOf(config).length,
    ...(identification === undefined ? {} : { identification }),
  };
}

/** Masters are numbered as devices are; nobody is number 0. */
function virtualOf(config: SmmuUnitConfig, devicesAt: number): VirtualConfig {
  const { devices, vsmmus = 4, nested = 32, vcmdqs = 0, threads } = config;
  const groupMutex = (device: number): number => devicesAt + device * DEVICE_WORDS + DEVICE_GROUP;
  const streams = [0, ...devices.map(({ streamId }) => streamId)];
  return {
    masters: streams.map((streamId, device) => ({ streamId, groupMutex: groupMutex(device) })),
    domains: nested,
    vsmmus,
    idBlocks: 2 + threads,
    queues: vcmdqs,
  };
}

/** Regions of an SMMU with its devices' ports and its driver. @throws IommuError EINVAL naming the field. */
export function smmuUnitRegions(config: SmmuUnitConfig): RegionSpec[] {
  const { devices, threads, vsmmus = 4, viommus, portSlots = 16 } = config;
  checkInteger('smmuUnitRegions', 'devices.length', devices.length, 1, 65535);
  checkInteger('smmuUnitRegions', 'pasidLog2', pasidLog2(config), 0, 10);
  const rows = devices.length + 1;
  return [
    ...driverRegions(config),
    { name: SMMU_REGION, words: smmuWords(smmuOf(config)) },
    { name: VIRTUAL_REGION, words: virtualWords(virtualOf(config, 1)) },
    { name: DEVICES_REGION, words: rows * DEVICE_WORDS },
    { name: CONTEXTS_REGION, words: alignLine(rows * CD_WORDS * 2 ** pasidLog2(config)) },
    { name: VSMMUS_REGION, words: (vsmmus + 1) * VSMMU_ROW_WORDS },
    { name: VIOMMUS_REGION, words: alignLine(viommus + 1) },
    { name: SCRATCH_REGION, words: (threads + 1) * (SCRATCH_COMMANDS + BATCH_WORDS) },
    ...[HARDWARE_BELL, IRQ_BELL].map((name) => ({ name, words: doorbellWords() })),
    ...portsOf(config).map(({ name }) => ({ name, words: stallPortWords(portSlots) })),
  ];
}

/** Lays them out over zeroed words: the SMMU off, every stream blocked. */
export function initSmmuUnit(arena: Arena, config: SmmuUnitConfig): void {
  const { words } = arena;
  const { devices, portSlots = 16 } = config;
  initDriverRegions(arena, config);
  const base = arena.base(SMMU_REGION);
  initSmmu(words, base, smmuOf(config));
  initVirtual(words, arena.base(VIRTUAL_REGION), virtualOf(config, arena.base(DEVICES_REGION)));
  for (const bell of [HARDWARE_BELL, IRQ_BELL]) initDoorbell(words, arena.base(bell));
  devices.forEach(({ streamId, canStall = true }, i) => {
    const at = arena.base(DEVICES_REGION) + (i + 1) * DEVICE_WORDS;
    words[at + DEVICE_STREAM] = streamId;
    words[at + DEVICE_STALLS] = canStall ? 1 : 0;
    writeStream(words, base, streamId, { config: STE_ABORT, stall: false, substreams: 0, device: i + 1 });
  });
  portsOf(config).forEach(({ name, device, substreamId }, port) => {
    const streamId = devices[device - 1].streamId;
    const rings = { wakeAt: arena.base(IRQ_BELL), doorbellBase: arena.base(HARDWARE_BELL) };
    const announceBase = smmuAnnounceBase(words, base);
    initStallPort(words, arena.base(name), {
      capacity: portSlots,
      port,
      streamId,
      substreamId,
      announceBase,
      ...rings,
    });
  });
}

/** Word offset of a thread's scratch. */
export function scratchAt(arena: Arena, thread: number): number {
  return arena.base(SCRATCH_REGION) + thread * (SCRATCH_COMMANDS + BATCH_WORDS);
}
