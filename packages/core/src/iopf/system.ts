import { RCU_REGION } from '../actor/actor-regions.ts';
import { checkInteger, checkPowerOfTwo, IommuError } from '../errors/index.ts';
import { type Arena, initSlab, type RegionSpec, Slab, SlabCache, slabWords } from '../memory/index.ts';
import { initSpmc, spmcWords } from '../ring/index.ts';
import {
  type CounterBank,
  type CounterMode,
  counterBankWords,
  DeferredFree,
  initCounterBank,
  initRcu,
  LINE,
  openCounterBank,
  Rcu,
  RcuThread,
  rcuWords,
  type ThreadSelf,
  type Words,
} from '../sync/index.ts';
import { initXarray, Xarray, xarrayWords } from '../xarray/index.ts';
import { BOOK_WORDS } from './books.ts';
import { DEVICE_WORDS, DOMAIN_WORDS, HANDLE_WORDS, MAX_INDEX, PARAM_WORDS, REQUEST_WORDS } from './layout.ts';

/** How large a system is. All numbers are fixed when the arena is made. */
export interface IopfConfig {
  /** Devices, numbered from 1. */
  readonly devices: number;
  /** Domains, numbered from 1. */
  readonly domains: number;
  /** Threads that report, handle or control, numbered from 1. Device threads do none of these. */
  readonly threads: number;
  /** Requests and groups that exist at once. */
  readonly requests: number;
  /** Slots of the work ring, a power of two. */
  readonly workEntries: number;
  /** `split`: references, pending counts and free lists by thread. `shared`: one word each, and one fault list under its lock. */
  readonly sharing: CounterMode;
  /** Poison freed objects and refuse access to them: slower, finds misuse. */
  readonly checked: boolean;
}

const XARRAY_NODES = 4;
/** Objects that a thread takes from, or gives back to, the common free list at a time. */
const SPLIT_BATCH = 16;

// The configuration as words, so that a thread opens the system from its arena alone.
const CONFIG_FIELDS = ['devices', 'domains', 'threads', 'requests', 'workEntries', 'sharing', 'checked'] as const;

export function checkIopfConfig(config: IopfConfig): void {
  const call = 'iopfRegions';
  checkInteger(call, 'devices', config.devices, 1, 1024);
  checkInteger(call, 'domains', config.domains, 1, MAX_INDEX);
  checkInteger(call, 'threads', config.threads, 1, 1024);
  checkInteger(call, 'requests', config.requests, 1, 65535);
  checkPowerOfTwo(call, 'workEntries', config.workEntries, 2, 65536);
  if (config.sharing !== 'split' && config.sharing !== 'shared')
    throw new IommuError('EINVAL', call, 'sharing', config.sharing, "must be 'split' or 'shared'");
}

/** A device can have a fault_param being removed while the next one is installed. */
function paramCapacity(config: IopfConfig): number {
  return config.devices * 2 + 2;
}
function handleCapacity(config: IopfConfig): number {
  return Math.min(65535, config.devices * 64);
}

/** The regions that a system needs of its arena. RCU_REGION is the actors' too: name it once where both share an arena. @throws IommuError EINVAL naming the field. */
export function iopfRegions(config: IopfConfig): RegionSpec[] {
  checkIopfConfig(config);
  return [
    { name: 'iopf.config', words: LINE },
    { name: 'iopf.books', words: (config.threads + 1) * BOOK_WORDS },
    { name: 'iopf.stacks', words: (config.threads + 1) * LINE },
    { name: 'iopf.devices', words: (config.devices + 1) * DEVICE_WORDS },
    { name: 'iopf.attach', words: (config.devices + 1) * xarrayWords(XARRAY_NODES) },
    { name: 'iopf.domains', words: (config.domains + 1) * DOMAIN_WORDS },
    { name: 'iopf.params', words: slabWords(paramCapacity(config), PARAM_WORDS) },
    { name: 'iopf.handles', words: slabWords(handleCapacity(config), HANDLE_WORDS) },
    { name: 'iopf.requests', words: slabWords(config.requests, REQUEST_WORDS) },
    { name: 'iopf.pending', words: counterBankWords(config.domains + 1, config.threads, config.sharing) },
    { name: 'iopf.references', words: counterBankWords(paramCapacity(config) + 1, config.threads, config.sharing) },
    { name: RCU_REGION, words: rcuWords(config.threads) },
    { name: 'iopf.work', words: spmcWords(config.workEntries) },
    { name: 'iopf.active', words: 2 * LINE },
  ];
}

/** Makes a fresh system in the arena. Nobody may use it yet. */
export function initIopf(arena: Arena, config: IopfConfig): void {
  const { words } = arena;
  for (const region of iopfRegions(config)) {
    const base = arena.base(region.name);
    words.fill(0, base, base + region.words);
  }
  const at = arena.base('iopf.config');
  CONFIG_FIELDS.forEach((field, i) => {
    const value = config[field];
    words[at + i] = typeof value === 'number' ? value : value === 'split' || value === true ? 1 : 0;
  });
  const stride = xarrayWords(XARRAY_NODES);
  for (let device = 1; device <= config.devices; device++)
    initXarray(words, arena.base('iopf.attach') + device * stride, XARRAY_NODES);
  initSlab(words, arena.base('iopf.params'), paramCapacity(config), PARAM_WORDS);
  initSlab(words, arena.base('iopf.handles'), handleCapacity(config), HANDLE_WORDS);
  initSlab(words, arena.base('iopf.requests'), config.requests, REQUEST_WORDS);
  initCounterBank(words, arena.base('iopf.pending'), config.domains + 1, config.threads, config.sharing);
  initCounterBank(words, arena.base('iopf.references'), paramCapacity(config) + 1, config.threads, config.sharing);
  initRcu(words, arena.base(RCU_REGION), config.threads);
  initSpmc(words, arena.base('iopf.work'), config.workEntries);
}

function readConfig(words: Words, at: number): IopfConfig {
  return {
    devices: words[at],
    domains: words[at + 1],
    threads: words[at + 2],
    requests: words[at + 3],
    workEntries: words[at + 4],
    sharing: words[at + 5] === 1 ? 'split' : 'shared',
    checked: words[at + 6] === 1,
  };
}

/** One thread's view of a system: its caches, its counters, its place among the readers. Made by that thread, used by no other. */
export class IopfSystem {
  readonly arena: Arena;
  readonly words: Words;
  readonly self: ThreadSelf;
  readonly config: IopfConfig;
  readonly requests: Slab;
  readonly requestCache: SlabCache;
  readonly params: Slab;
  readonly paramCache: SlabCache;
  readonly handles: Slab;
  readonly handleCache: SlabCache;
  /** Faults reported and not yet done, by domain. */
  readonly pending: CounterBank;
  /** References on a fault_param, by its slab index (`lockless` in its split form). */
  readonly references: CounterBank;
  readonly rcu: Rcu;
  readonly reader: RcuThread;
  readonly deferredParams: DeferredFree;
  readonly deferredHandles: DeferredFree;
  /** Word offsets: device i is at devices + i * DEVICE_WORDS, and so on. */
  readonly devices: number;
  readonly domains: number;
  readonly books: number;
  /** This thread's scratch record: a driver's stack. */
  readonly stack: number;
  readonly work: number;
  readonly active: number;
  readonly #attach: Xarray[];

  /** @param reader this thread as a reader, where it is one already (an actor host). */
  constructor(arena: Arena, self: ThreadSelf, reader?: RcuThread) {
    const { words } = arena;
    const config = readConfig(words, arena.base('iopf.config'));
    checkInteger('IopfSystem', 'self.id', self.id, 1, config.threads);
    this.arena = arena;
    this.words = words;
    this.self = self;
    this.config = config;
    const batch = config.sharing === 'split' ? SPLIT_BATCH : 1;
    const options = { batch, checked: config.checked };
    const single = { batch: 1, checked: config.checked };
    this.requests = new Slab(words, arena.base('iopf.requests'));
    this.requestCache = new SlabCache(this.requests, self, options);
    this.params = new Slab(words, arena.base('iopf.params'));
    this.paramCache = new SlabCache(this.params, self, single);
    this.handles = new Slab(words, arena.base('iopf.handles'));
    this.handleCache = new SlabCache(this.handles, self, single);
    this.pending = openCounterBank(words, arena.base('iopf.pending'), self);
    this.references = openCounterBank(words, arena.base('iopf.references'), self);
    this.rcu = new Rcu(words, arena.base(RCU_REGION));
    this.reader = reader ?? new RcuThread(words, arena.base(RCU_REGION), self);
    this.deferredParams = new DeferredFree(this.rcu, this.params.capacity, (index) => this.paramCache.free(index));
    this.deferredHandles = new DeferredFree(this.rcu, this.handles.capacity, (index) => this.handleCache.free(index));
    this.devices = arena.base('iopf.devices');
    this.domains = arena.base('iopf.domains');
    this.books = arena.base('iopf.books') + self.id * BOOK_WORDS;
    this.stack = arena.base('iopf.stacks') + self.id * LINE;
    this.work = arena.base('iopf.work');
    this.active = arena.base('iopf.active');
    const attach = arena.base('iopf.attach');
    const stride = xarrayWords(XARRAY_NODES);
    this.#attach = Array.from(
      { length: config.devices + 1 },
      (_, device) => new Xarray(words, attach + Math.max(device, 1) * stride),
    );
  }

  /** The device's attach array: PASID to attach handle, 0 = no PASID. */
  attachArray(device: number): Xarray {
    return this.#attach[device];
  }
  deviceAt(device: number): number {
    return this.devices + device * DEVICE_WORDS;
  }
  domainAt(domain: number): number {
    return this.domains + domain * DOMAIN_WORDS;
  }
  checkDevice(call: string, device: number): number {
    return checkInteger(call, 'device', device, 1, this.config.devices);
  }
  checkDomain(call: string, domain: number): number {
    return checkInteger(call, 'domain', domain, 1, this.config.domains);
  }

  /** Gives back what this thread keeps for itself: the books of a system balance only after every thread did. */
  close(): void {
    this.deferredParams.flush(this.self);
    this.deferredHandles.flush(this.self);
    this.requestCache.flush();
    this.paramCache.flush();
    this.handleCache.flush();
    this.reader.offline();
  }
}
