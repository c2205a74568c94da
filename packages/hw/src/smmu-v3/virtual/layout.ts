import { checkInteger, IommuError } from '@faultline/core/errors';
import { alignLine, checkRegion, defineLayout, type Layout } from '@faultline/core/memory';
import { initRwlock, LINE, rwlockWords, type Words } from '@faultline/core/sync';
import { initXarray, xarrayWords } from '@faultline/core/xarray';

// The shared words of one SMMU's virtual side: its masters, the nested domains, and the vSMMUs with their virtual command queues.
// Numbers of vSMMUs and nested domains count from 1, 0 is none; masters are devices of the core's table and count from 0.

/** Header, written before sharing. */
const READY = 0;
const MASTERS = 1;
const DOMAINS = 2;
const VSMMUS = 3;
const QUEUES = 4;
const PAIRS = 5;
const MASTERS_AT = 6; // offsets of the tables
const DOMAINS_AT = 7;
const VSMMUS_AT = 8;
const VSMMU_STRIDE = 9;
const VDEVS_AT = 10; // of the xarray in a vSMMU

/** A master: what a device is to the virtual side. Its group mutex stands elsewhere, and may be shared by several. */
export const MASTER_SID = 0; // its stream: a device has one
export const MASTER_GROUP = 1; // word offset of the group mutex
export const MASTER_VDEV_VSMMU: number = LINE; // whose vdevice it has, 0: it has none
export const MASTER_VDEV_ID: number = LINE + 1; // the virtual id
export const MASTER_VDEV_PAIR: number = LINE + 2; // its pair of SID registers, or NO_PAIR
export const MASTER_DOMAIN: number = LINE + 3; // nested domain attached, 0: another kind of domain or none
export const MASTER_NEXT_DOMAIN: number = LINE + 4; // being attached
export const MASTER_NEXT_VSMMU: number = LINE + 5;
export const MASTER_NEXT_VSID: number = LINE + 6;
export const MASTER_FORMER_VSMMU: number = LINE + 7; // the pair as the attach under way found it
export const MASTER_FORMER_VSID: number = LINE + 8;
export const MASTER_LOCK: number = 2 * LINE; // rwlock of the two words below
export const VSTREAM_VSMMU: number = 4 * LINE; // where its events go, 0: to no guest
export const VSTREAM_VSID: number = 4 * LINE + 1;
const MASTER_WORDS = 5 * LINE;

export const masterLayout: Layout = defineLayout('smmu-v3-master', [
  { name: 'SID', offset: MASTER_SID, width: 1, unit: 'StreamID', writer: 'init' },
  { name: 'GROUP', offset: MASTER_GROUP, width: 1, unit: 'word of the group mutex', writer: 'init' },
  { name: 'VDEV_VSMMU', offset: MASTER_VDEV_VSMMU, width: 1, unit: 'vSMMU', writer: 'group mutex' },
  { name: 'VDEV_ID', offset: MASTER_VDEV_ID, width: 1, unit: 'virtual StreamID', writer: 'group mutex' },
  { name: 'VDEV_PAIR', offset: MASTER_VDEV_PAIR, width: 1, unit: 'pair', writer: 'group mutex' },
  { name: 'DOMAIN', offset: MASTER_DOMAIN, width: 1, unit: 'nested domain', writer: 'group mutex' },
  { name: 'NEXT_DOMAIN', offset: MASTER_NEXT_DOMAIN, width: 1, unit: 'nested domain', writer: 'group mutex' },
  { name: 'NEXT_VSMMU', offset: MASTER_NEXT_VSMMU, width: 1, unit: 'vSMMU', writer: 'group mutex' },
  { name: 'NEXT_VSID', offset: MASTER_NEXT_VSID, width: 1, unit: 'virtual StreamID', writer: 'group mutex' },
  { name: 'FORMER_VSMMU', offset: MASTER_FORMER_VSMMU, width: 1, unit: 'vSMMU', writer: 'group mutex' },
  { name: 'FORMER_VSID', offset: MASTER_FORMER_VSID, width: 1, unit: 'virtual StreamID', writer: 'group mutex' },
  { name: 'LOCK', offset: MASTER_LOCK, width: rwlockWords(), unit: 'rwlock', writer: 'all' },
  { name: 'VSTREAM_VSMMU', offset: VSTREAM_VSMMU, width: 1, unit: 'vSMMU', writer: 'group mutex and LOCK' },
  { name: 'VSTREAM_VSID', offset: VSTREAM_VSID, width: 1, unit: 'virtual StreamID', writer: 'group mutex and LOCK' },
]);

/** A nested domain. */
export const NESTED_USERS = 0; // atomic: 0 free, 1 for its owner, one more for each attached master
export const NESTED_VSMMU = 1; // constant while it lives, like all below
export const NESTED_ATS = 2; // 1: the guest's entry lets ATS through
export const NESTED_STE = 4; // the guest's first two words of a stream table entry, as four
const NESTED_WORDS = LINE;

/** A vSMMU: line 0 atomic, line 1 constant while it lives, line 2 its SID registers, then queues, then virtual ids. */
export const VSMMU_USERS = 0; // 0 free; 1 for its owner, one more for each vdevice, nested domain and queue
export const VSMMU_QUEUE_MUTEX = 1;
export const VSMMU_PAIRS_USED = 2; // bitmap of SID register pairs
export const VSMMU_VMID: number = LINE;
export const VSMMU_SID_MATCH: number = 2 * LINE; // virtual StreamID << 1 | 1, 0: unused
export const VSMMU_SID_REPLACE: number = 2 * LINE + 16; // StreamID
const VSMMU_QUEUES: number = 3 * LINE;

/** SID register pairs that a Tegra241 interface has room for: SID_MATCH at 0x40, SID_REPLACE at 0x80. */
const MAX_PAIRS = 16;
export const NO_PAIR: number = MAX_PAIRS;

/** Registers of a virtual command queue. Three writers, three lines. */
export const VCMDQ_PROD = 0; // the guest's
export const VCMDQ_CONFIG = 1;
export const VCMDQ_GERRORN = 2;
export const VCMDQ_CONS: number = LINE; // the hardware's
export const VCMDQ_STATUS: number = LINE + 1;
export const VCMDQ_GERROR: number = LINE + 2;
export const VCMDQ_BASE: number = 2 * LINE; // the host's: word offset of the entries, 0: not mapped
export const VCMDQ_LOG2: number = 2 * LINE + 1; // entries
export const VCMDQ_WORDS: number = 3 * LINE;

export const vcmdqLayout: Layout = defineLayout('smmu-v3-vcmdq', [
  { name: 'PROD', offset: VCMDQ_PROD, width: 1, unit: 'index, wrap', writer: 'guest' },
  { name: 'CONFIG', offset: VCMDQ_CONFIG, width: 1, unit: 'bit 0: enable', writer: 'guest' },
  { name: 'GERRORN', offset: VCMDQ_GERRORN, width: 1, unit: 'GERROR_CMDQ', writer: 'guest' },
  { name: 'CONS', offset: VCMDQ_CONS, width: 1, unit: 'index, wrap, ERR', writer: 'hardware' },
  { name: 'STATUS', offset: VCMDQ_STATUS, width: 1, unit: 'bit 0: enabled', writer: 'hardware' },
  { name: 'GERROR', offset: VCMDQ_GERROR, width: 1, unit: 'GERROR_CMDQ', writer: 'hardware' },
  { name: 'BASE', offset: VCMDQ_BASE, width: 1, unit: 'word offset', writer: 'host' },
  { name: 'LOG2', offset: VCMDQ_LOG2, width: 1, unit: 'log2 of entries', writer: 'host' },
]);

export interface MasterConfig {
  readonly streamId: number;
  /** Word offset of the mutex of the device's IOMMU group. */
  readonly groupMutex: number;
}

export interface VirtualConfig {
  /** Devices, by number from 0; 1 to 65536. */
  readonly masters: readonly MasterConfig[];
  /** Nested domains at once, 1 to 65535. */
  readonly domains: number;
  /** vSMMUs at once, 1 to 256. */
  readonly vsmmus: number;
  /** Blocks of 1024 virtual ids for which a vSMMU has room, 1 to 1024: one to spare for each thread that makes vdevices. Default 4. */
  readonly idBlocks?: number;
  /** Virtual command queues of each vSMMU, 0 to 128. Default 0. */
  readonly queues?: number;
  /** Pairs of SID registers of each vSMMU, 0 to 16. Default 16 where there are queues. */
  readonly sidPairs?: number;
}

interface Parts {
  readonly masters: number;
  readonly domains: number;
  readonly vsmmus: number;
  readonly stride: number;
  readonly vdevs: number;
  readonly words: number;
}

function plan(call: string, { masters, domains, vsmmus, idBlocks = 4, queues = 0, sidPairs }: VirtualConfig): Parts {
  checkInteger(call, 'masters.length', masters.length, 1, 65536);
  checkInteger(call, 'domains', domains, 1, 65535);
  checkInteger(call, 'vsmmus', vsmmus, 1, 256);
  checkInteger(call, 'queues', queues, 0, 128);
  checkInteger(call, 'sidPairs', sidPairs ?? 0, 0, MAX_PAIRS);
  const domainsAt = LINE + masters.length * MASTER_WORDS;
  const vsmmusAt = domainsAt + domains * NESTED_WORDS;
  const vdevs = VSMMU_QUEUES + queues * VCMDQ_WORDS;
  const stride = alignLine(vdevs + xarrayWords(idBlocks));
  return { masters: LINE, domains: domainsAt, vsmmus: vsmmusAt, stride, vdevs, words: vsmmusAt + vsmmus * stride };
}

/** @throws IommuError EINVAL naming the field. */
export function virtualWords(config: VirtualConfig): number {
  return plan('virtualWords', config).words;
}

/** Lays the virtual side out at `base`, before it is shared: no vSMMU, no vdevice, no nested domain. @throws IommuError EINVAL naming the field. */
export function initVirtual(words: Words, base: number, config: VirtualConfig): void {
  const parts = plan('initVirtual', config);
  checkRegion('initVirtual', words, base, parts.words);
  words.fill(0, base, base + parts.words);
  words[base + MASTERS] = config.masters.length;
  words[base + DOMAINS] = config.domains;
  words[base + VSMMUS] = config.vsmmus;
  words[base + QUEUES] = config.queues ?? 0;
  words[base + PAIRS] = config.sidPairs ?? (config.queues === undefined || config.queues === 0 ? 0 : MAX_PAIRS);
  words[base + MASTERS_AT] = parts.masters;
  words[base + DOMAINS_AT] = parts.domains;
  words[base + VSMMUS_AT] = parts.vsmmus;
  words[base + VSMMU_STRIDE] = parts.stride;
  words[base + VDEVS_AT] = parts.vdevs;
  config.masters.forEach(({ streamId, groupMutex }, device) => {
    checkInteger('initVirtual', `masters[${device}].streamId`, streamId, 0, 2 ** 32 - 1);
    checkInteger('initVirtual', `masters[${device}].groupMutex`, groupMutex, 1, words.length - 1);
    const at = base + parts.masters + device * MASTER_WORDS;
    words[at + MASTER_SID] = streamId;
    words[at + MASTER_GROUP] = groupMutex;
    initRwlock(words, at + MASTER_LOCK);
  });
  for (let i = 0; i < config.vsmmus; i++)
    initXarray(words, base + parts.vsmmus + i * parts.stride + parts.vdevs, config.idBlocks ?? 4);
  words[base + READY] = 1;
}

/** Where everything is: read once, for good, by whoever works on a virtual side. */
export class VirtualArea {
  readonly words: Words;
  readonly masters: number;
  readonly domains: number;
  readonly vsmmus: number;
  /** Virtual command queues of each vSMMU. */
  readonly queues: number;
  /** Pairs of SID registers of each vSMMU. */
  readonly pairs: number;
  readonly #masters: number;
  readonly #domains: number;
  readonly #vsmmus: number;
  readonly #stride: number;
  readonly #vdevs: number;

  /** @throws IommuError EINVAL where none was laid out. */
  constructor(words: Words, base: number) {
    checkRegion('VirtualArea', words, base, LINE);
    if (words[base + READY] !== 1)
      throw new IommuError('EINVAL', 'VirtualArea', 'base', base, 'no virtual side was laid out here');
    this.words = words;
    this.masters = words[base + MASTERS];
    this.domains = words[base + DOMAINS];
    this.vsmmus = words[base + VSMMUS];
    this.queues = words[base + QUEUES];
    this.pairs = words[base + PAIRS];
    this.#masters = base + words[base + MASTERS_AT];
    this.#domains = base + words[base + DOMAINS_AT] - NESTED_WORDS;
    this.#stride = words[base + VSMMU_STRIDE];
    this.#vsmmus = base + words[base + VSMMUS_AT] - this.#stride;
    this.#vdevs = words[base + VDEVS_AT];
  }

  /** Word offset of a device's master. @throws IommuError EINVAL for no device. */
  masterAt(call: string, device: number): number {
    checkInteger(call, 'device', device, 0, this.masters - 1);
    return this.#masters + device * MASTER_WORDS;
  }

  /** Word offset of a nested domain. @throws IommuError EINVAL for a number that is none. */
  domainAt(call: string, domain: number): number {
    checkInteger(call, 'domain', domain, 1, this.domains);
    return this.#domains + domain * NESTED_WORDS;
  }

  /** Word offset of a vSMMU. @throws IommuError EINVAL for a number that is none. */
  vsmmuAt(call: string, vsmmu: number): number {
    checkInteger(call, 'vsmmu', vsmmu, 1, this.vsmmus);
    return this.#vsmmus + vsmmu * this.#stride;
  }

  /** Base of the xarray of a vSMMU's vdevices: virtual id to device + 1. */
  vdevsAt(call: string, vsmmu: number): number {
    return this.vsmmuAt(call, vsmmu) + this.#vdevs;
  }

  /** Word offset of a virtual command queue's registers. @throws IommuError EINVAL for a number that is none. */
  queueAt(call: string, vsmmu: number, queue: number): number {
    checkInteger(call, 'queue', queue, 0, this.queues - 1);
    return this.vsmmuAt(call, vsmmu) + VSMMU_QUEUES + queue * VCMDQ_WORDS;
  }
}
