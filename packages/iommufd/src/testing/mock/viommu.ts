// The mock's vIOMMUs: a page that loops data back, device caches to invalidate, events, two hardware queues of which the second needs the
// first. @see Linux drivers/iommu/iommufd/selftest.c mock_viommu_init(), mock_viommu_cache_invalidate(), mock_hw_queue_init_phys()
import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import { mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';
import { PAGE_BYTES, type PhysicalMemory } from '../../caller/index.ts';
import type { DriverData, DriverEntries, MmapRegions, VirtualDevices } from '../../driver/index.ts';
import { loadU64, storeU64 } from '../../memory/index.ts';
import {
  MOCK_CACHE_ENTRIES,
  MOCK_HW_QUEUE_TYPE,
  MOCK_HW_QUEUES,
  MOCK_INVALIDATE_ALL,
  MOCK_VIOMMU_DATA,
  MOCK_VIOMMU_ENTRY,
  MOCK_VIOMMU_INVALIDATE_TYPE,
  MOCK_VIOMMU_TYPE,
} from './constants.ts';
import {
  MOCK_DEVICE_CACHE,
  MOCK_DEVICE_EVENT_ID,
  MOCK_DEVICE_EVENT_VIOMMU,
  MOCK_DEVICE_LOCK,
  MOCK_DEVICE_VIRT_ID,
  MOCK_DEVICE_WORDS,
  MOCK_VIOMMU_FRAME,
  MOCK_VIOMMU_PARENT,
  MOCK_VIOMMU_QUEUES,
  MOCK_VIOMMU_WORDS,
} from './layout.ts';
import { MOCK_DEVICES_REGION, MOCK_VIOMMUS_REGION } from './region.ts';

/** Pages of a vIOMMU that was made from data. */
const PAGES = 2;

export class MockViommus {
  readonly #words: Words;
  readonly #self: ThreadSelf;
  readonly #ram: PhysicalMemory;
  readonly #viommus: number;
  readonly #devices: number;

  constructor(arena: Arena, self: ThreadSelf, ram: PhysicalMemory) {
    this.#words = arena.words;
    this.#self = self;
    this.#ram = ram;
    this.#viommus = arena.base(MOCK_VIOMMUS_REGION);
    this.#devices = arena.base(MOCK_DEVICES_REGION);
  }

  has(type: number): boolean {
    return type === MOCK_VIOMMU_TYPE;
  }
  hasHwQueue(type: number): boolean {
    return type === MOCK_HW_QUEUE_TYPE;
  }

  alloc(viommu: number, parent: number, data: DriverData | undefined, regions: MmapRegions): void {
    const at = this.#at(viommu);
    this.#words.fill(0, at, at + MOCK_VIOMMU_WORDS);
    this.#words[at + MOCK_VIOMMU_PARENT] = parent;
    if (data === undefined) return;
    const bytes = readData(data);
    const frame = this.#ram.alloc(PAGES);
    if (frame === 0) throw new IommuError('ENOMEM', 'VIOMMU_ALLOC', 'page', frame, 'no frames are left');
    this.#words[at + MOCK_VIOMMU_FRAME] = frame;
    try {
      const view = new DataView(bytes.buffer);
      view.setUint32(MOCK_VIOMMU_DATA.outData, view.getUint32(MOCK_VIOMMU_DATA.inData, true), true);
      this.#ram.bytes.set(bytes.subarray(MOCK_VIOMMU_DATA.inData, MOCK_VIOMMU_DATA.outData), frame * PAGE_BYTES);
      const offset = regions.offer(frame * PAGE_BYTES, PAGES * PAGE_BYTES);
      view.setBigUint64(MOCK_VIOMMU_DATA.outMmapOffset, offset, true);
      view.setBigUint64(MOCK_VIOMMU_DATA.outMmapLength, BigInt(PAGES * PAGE_BYTES), true);
      data.write(bytes);
    } catch (error) {
      this.free(viommu);
      throw error;
    }
  }

  free(viommu: number): void {
    const frame = this.#words[this.#at(viommu) + MOCK_VIOMMU_FRAME];
    if (frame !== 0) for (let page = 0; page < PAGES; page++) this.#ram.put(frame + page);
  }

  /** The whole array is copied before any entry is handled. */
  invalidate(entries: DriverEntries, devices: VirtualDevices): void {
    if (entries.type !== MOCK_VIOMMU_INVALIDATE_TYPE)
      throw new IommuError('EINVAL', 'HWPT_INVALIDATE', 'data_type', entries.type, 'is not that of a mock vIOMMU');
    const copies = Array.from({ length: entries.count }, (_, index) => {
      const bytes = new Uint8Array(MOCK_VIOMMU_ENTRY.bytes);
      entries.read(index, bytes);
      return new DataView(bytes.buffer);
    });
    copies.forEach((entry, index) => {
      this.#invalidateOne(entry, devices);
      entries.done(index + 1);
    });
  }

  #invalidateOne(entry: DataView, devices: VirtualDevices): void {
    const call = 'HWPT_INVALIDATE';
    const flags = entry.getUint32(MOCK_VIOMMU_ENTRY.flags, true);
    const virtId = entry.getUint32(MOCK_VIOMMU_ENTRY.vdevId, true);
    const cache = entry.getUint32(MOCK_VIOMMU_ENTRY.cacheId, true);
    if ((flags & ~MOCK_INVALIDATE_ALL) !== 0)
      throw new IommuError('EOPNOTSUPP', call, 'flags', flags, 'has bits that are not known');
    if (cache >= MOCK_CACHE_ENTRIES)
      throw new IommuError('EINVAL', call, 'cache_id', cache, `must be below ${MOCK_CACHE_ENTRIES}`);
    const isThere = devices.withDevice(BigInt(virtId), (device) => {
      const at = this.#deviceAt(device) + MOCK_DEVICE_CACHE;
      if ((flags & MOCK_INVALIDATE_ALL) !== 0) this.#words.fill(0, at, at + MOCK_CACHE_ENTRIES);
      else this.#words[at + cache] = 0;
    });
    if (!isThere) throw new IommuError('EINVAL', call, 'vdev_id', virtId, 'is no device of the vIOMMU');
  }

  /** Context: the group's lock. */
  setVirtId(device: number, virtId: bigint): void {
    storeU64(this.#words, this.#deviceAt(device) + MOCK_DEVICE_VIRT_ID, virtId);
  }

  /** A device's domain is of this vIOMMU now, 0: of none. From here on its events go there. Context: the group's lock. */
  attached(device: number, viommu: number): void {
    const words = this.#words;
    const at = this.#deviceAt(device);
    mutexLock(words, at + MOCK_DEVICE_LOCK, this.#self);
    words[at + MOCK_DEVICE_EVENT_VIOMMU] = viommu;
    storeU64(words, at + MOCK_DEVICE_EVENT_ID, viommu === 0 ? 0n : loadU64(words, at + MOCK_DEVICE_VIRT_ID));
    mutexUnlock(words, at + MOCK_DEVICE_LOCK, this.#self);
  }

  /** Runs `body` with the vIOMMU that a device is attached through, which lives meanwhile. @returns false: there is none, or its number is 0. */
  withEvents(device: number, body: (viommu: number, virtId: bigint) => void): boolean {
    const words = this.#words;
    const at = this.#deviceAt(device);
    mutexLock(words, at + MOCK_DEVICE_LOCK, this.#self);
    try {
      const viommu = words[at + MOCK_DEVICE_EVENT_VIOMMU];
      const virtId = loadU64(words, at + MOCK_DEVICE_EVENT_ID);
      if (viommu === 0 || virtId === 0n) return false;
      body(viommu, virtId);
      return true;
    } finally {
      mutexUnlock(words, at + MOCK_DEVICE_LOCK, this.#self);
    }
  }

  /** Context: the vIOMMU's lock. @param isAt whether the parent's page tables have the queue where it is said to be. */
  allocHwQueue(viommu: number, index: number, isAt: (parent: number) => boolean): number {
    const call = 'HW_QUEUE_ALLOC';
    const at = this.#at(viommu);
    if (index >= MOCK_HW_QUEUES)
      throw new IommuError('EINVAL', call, 'index', index, `must be below ${MOCK_HW_QUEUES}`);
    const queues = at + MOCK_VIOMMU_QUEUES;
    if (this.#words[queues + index] !== 0) throw new IommuError('EEXIST', call, 'index', index, 'is in use');
    if (index > 0 && this.#words[queues + index - 1] === 0)
      throw new IommuError('EIO', call, 'index', index, 'needs the queue before it');
    if (!isAt(this.#words[at + MOCK_VIOMMU_PARENT]))
      throw new IommuError('EFAULT', call, 'nesting_parent_iova', index, 'is elsewhere in the parent');
    this.#words[queues + index] = 1;
    return index - 1;
  }

  freeHwQueue(viommu: number, index: number): void {
    this.#words[this.#at(viommu) + MOCK_VIOMMU_QUEUES + index] = 0;
  }

  #at(viommu: number): number {
    return this.#viommus + viommu * MOCK_VIOMMU_WORDS;
  }
  #deviceAt(device: number): number {
    return this.#devices + device * MOCK_DEVICE_WORDS;
  }
}

function readData(data: DriverData): Uint8Array<ArrayBuffer> {
  if (data.length !== MOCK_VIOMMU_DATA.bytes)
    throw new IommuError('EINVAL', 'VIOMMU_ALLOC', 'data_len', data.length, `must be ${MOCK_VIOMMU_DATA.bytes}`);
  const bytes = new Uint8Array(MOCK_VIOMMU_DATA.bytes);
  data.read(bytes);
  return bytes;
}
