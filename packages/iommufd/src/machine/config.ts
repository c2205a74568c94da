import { checkInteger } from '@faultline/core/errors';
import { type IopfConfig, initIopf, iopfRegions } from '@faultline/core/iopf';
import { type Arena, alignLine, type RegionSpec } from '@faultline/core/memory';
import { LINE } from '@faultline/core/sync';
import { initXarray, xarrayWords } from '@faultline/core/xarray';
import { ATTACHMENT_WORDS } from '../device/layout.ts';
import { faultQueueWords, faultRoutesWords, initFaultQueue } from '../fault-queue/index.ts';
import { FILE_WORDS } from '../files/layout.ts';
import { AREA_WORDS, IOAS_WORDS, PAGES_WORDS, PIN_WORDS, RANGE_WORDS } from '../ioas/layout.ts';
import { initRecordPool, recordPoolWords } from '../memory/index.ts';
import { OBJECT_WORDS } from '../objects/layout.ts';
import { EVENT_WORDS, VEVENTQ_WORDS } from '../veventq/layout.ts';
import { CONTEXT_WORDS, GROUP_WORDS } from './layout.ts';

/** How much there can be of everything at once, in all contexts. */
export interface IommufdConfig extends IopfConfig {
  /** Open /dev/iommu. */
  readonly contexts: number;
  /** Processes with descriptors. */
  readonly processes: number;
  readonly objects: number;
  readonly ioas: number;
  readonly areas: number;
  readonly pages: number;
  /** Pages that accesses have pinned. */
  readonly pins: number;
  /** Reserved and allowed ranges. */
  readonly ranges: number;
  readonly attachments: number;
  readonly files: number;
  /** At most 16: a cookie names its queue. */
  readonly faultQueues: number;
  readonly veventqs: number;
  /** Events that wait in all of them: more are lost. */
  readonly events: number;
}

const DEFAULTS: IommufdConfig = {
  devices: 16,
  domains: 256,
  threads: 8,
  requests: 1024,
  workEntries: 64,
  sharing: 'split',
  checked: false,
  contexts: 8,
  processes: 4,
  objects: 1024,
  ioas: 64,
  areas: 4096,
  pages: 4096,
  pins: 4096,
  ranges: 1024,
  attachments: 256,
  files: 256,
  faultQueues: 8,
  veventqs: 32,
  events: 1024,
};

/** Fills in what is left out. @throws IommuError EINVAL naming the field. */
export function iommufdConfig(config: Partial<IommufdConfig> = {}): IommufdConfig {
  const whole = { ...DEFAULTS, ...config };
  const call = 'iommufdConfig';
  checkInteger(call, 'contexts', whole.contexts, 1, 1024);
  checkInteger(call, 'processes', whole.processes, 1, 1024);
  checkInteger(call, 'faultQueues', whole.faultQueues, 1, 16);
  return whole;
}

export type PoolName =
  | 'objects'
  | 'ioas'
  | 'areas'
  | 'pages'
  | 'pins'
  | 'ranges'
  | 'attachments'
  | 'files'
  | 'veventqs'
  | 'events';

/** The pools: name, which is that of its capacity's field, and words of a record. */
export const POOLS: Readonly<Record<PoolName, number>> = {
  objects: OBJECT_WORDS,
  ioas: IOAS_WORDS,
  areas: AREA_WORDS,
  pages: PAGES_WORDS,
  pins: PIN_WORDS,
  ranges: RANGE_WORDS,
  attachments: ATTACHMENT_WORDS,
  files: FILE_WORDS,
  veventqs: VEVENTQ_WORDS,
  events: EVENT_WORDS,
};

const ID_NODES = 8;
const FD_NODES = 2;
export const CONTEXTS_REGION = 'iommufd.contexts';
export const GROUPS_REGION = 'iommufd.groups';
export const IDS_REGION = 'iommufd.ids';
export const FDS_REGION = 'iommufd.fds';
export const FAULT_QUEUES_REGION = 'iommufd.fault-queues';
export const DEVICE_IDS_REGION = 'iommufd.device-ids';
export const ROUTES_REGION = 'iommufd.routes';
// Offsets: contexts, processes and fault queues there are, then a bit for each queue that is taken.
export const MACHINE_REGION = 'iommufd.machine';
export const QUEUES_TAKEN = 3;

export const idsWords = (): number => xarrayWords(ID_NODES);
export const fdsWords = (): number => xarrayWords(FD_NODES);
export const poolRegion = (pool: PoolName): string => `iommufd.${pool}`;

/** A power of two with room for every group: a fault queue is never full. */
function queueShape(config: IommufdConfig, number: number): { number: number; entries: number; groups: number } {
  return { number, entries: 2 ** Math.ceil(Math.log2(config.requests + 1)), groups: config.requests };
}
export function queueWords(config: IommufdConfig): number {
  return faultQueueWords(queueShape(config, 0));
}

/** The regions that a machine needs of its arena, the fault path's included. */
export function iommufdRegions(config: IommufdConfig): RegionSpec[] {
  const names = Object.keys(POOLS) as PoolName[];
  return [
    ...iopfRegions(config),
    { name: MACHINE_REGION, words: LINE },
    { name: CONTEXTS_REGION, words: (config.contexts + 1) * CONTEXT_WORDS },
    { name: IDS_REGION, words: (config.contexts + 1) * idsWords() },
    { name: FDS_REGION, words: (config.processes + 1) * fdsWords() },
    { name: GROUPS_REGION, words: (config.devices + 1) * GROUP_WORDS },
    { name: DEVICE_IDS_REGION, words: alignLine(config.devices + 1) },
    { name: ROUTES_REGION, words: faultRoutesWords(config.domains) },
    { name: FAULT_QUEUES_REGION, words: config.faultQueues * queueWords(config) },
    ...names.map((name) => ({ name: poolRegion(name), words: recordPoolWords(config[name], POOLS[name]) })),
  ];
}

/** Makes a fresh machine in the arena: no context, no device bound. Nobody may use it yet. */
export function initIommufd(arena: Arena, config: IommufdConfig): void {
  const { words } = arena;
  for (const { name, words: size } of iommufdRegions(config)) words.fill(0, arena.base(name), arena.base(name) + size);
  initIopf(arena, config);
  for (let context = 1; context <= config.contexts; context++)
    initXarray(words, arena.base(IDS_REGION) + context * idsWords(), ID_NODES);
  for (let process = 1; process <= config.processes; process++)
    initXarray(words, arena.base(FDS_REGION) + process * fdsWords(), FD_NODES);
  for (let number = 0; number < config.faultQueues; number++)
    initFaultQueue(words, arena.base(FAULT_QUEUES_REGION) + number * queueWords(config), queueShape(config, number));
  for (const name of Object.keys(POOLS) as PoolName[])
    initRecordPool(words, arena.base(poolRegion(name)), config[name], POOLS[name]);
  words[arena.base(MACHINE_REGION)] = config.contexts;
  words[arena.base(MACHINE_REGION) + 1] = config.processes;
  words[arena.base(MACHINE_REGION) + 2] = config.faultQueues;
}
