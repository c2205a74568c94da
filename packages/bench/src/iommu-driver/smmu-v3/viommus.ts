// vIOMMUs: vSMMUs of the hardware's model by iommufd's numbers, and the page of registers of those that have command queues of their own.
// @see Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c, tegra241-cmdqv.c
import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import type { ThreadSelf, Words } from '@faultline/core/sync';
import { COMMAND_WORDS, idRegisters, type SmmuOps } from '@faultline/hw/smmu-v3';
import {
  allocVsmmu,
  destroyVsmmu,
  GUEST_BATCH,
  GuestCommands,
  VCMDQ_PAGE_BYTES,
  VcmdqPage,
  Vcmdqs,
  type Vdevices,
  type VirtualArea,
} from '@faultline/hw/smmu-v3/virtual';
import type { PhysicalMemory } from '@faultline/iommufd';
import {
  type DriverData,
  type DriverEntries,
  encodeData,
  HW_QUEUE_TYPE_TEGRA241_CMDQV,
  type MmapRegions,
  PAGE_BYTES,
  VIOMMU_ARM_SMMUV3_INVALIDATE,
  VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
  VIOMMU_TEGRA241_CMDQV,
  VIOMMU_TYPE_ARM_SMMUV3,
  VIOMMU_TYPE_TEGRA241_CMDQV,
} from '@faultline/iommufd';
import { readData } from '../common/index.ts';
import { orThrow } from './errors.ts';
import {
  SCRATCH_COMMANDS,
  SMMU_REGION,
  VIOMMUS_REGION,
  VSMMU_FRAME,
  VSMMU_ROW_WORDS,
  VSMMU_TYPE,
  VSMMU_VIOMMU,
  VSMMUS_REGION,
} from './layout.ts';
import { scratchAt } from './region.ts';

const PAGE_FRAMES: number = VCMDQ_PAGE_BYTES / PAGE_BYTES;
const WORD_BYTES = 4;
const INVALIDATE = 'HWPT_INVALIDATE';

export interface ViommuParts {
  readonly arena: Arena;
  readonly self: ThreadSelf;
  readonly ram: PhysicalMemory;
  readonly area: VirtualArea;
  readonly vdevices: Vdevices;
  readonly ops: SmmuOps;
  readonly ring: () => void;
}

/** One thread's view of all. */
export class SmmuViommus {
  readonly #parts: ViommuParts;
  readonly #words: Words;
  readonly #memory: Words;
  readonly #vcmdqs: Vcmdqs;

  constructor(parts: ViommuParts) {
    const { arena, self, ram, area, ring } = parts;
    this.#parts = parts;
    this.#words = arena.words;
    this.#memory = new Int32Array(ram.bytes.buffer);
    const maxLog2 = (idRegisters(arena.words, arena.base(SMMU_REGION))[1] >>> 21) & 31; // IDR1.CMDQS
    this.#vcmdqs = new Vcmdqs(area, self, { maxLog2, hardwareDoorbell: { ring }, memory: this.#memory });
  }

  /** Without a Tegra241 there is only the plain one. */
  has(type: number): boolean {
    if (type === VIOMMU_TYPE_ARM_SMMUV3) return true;
    return type === VIOMMU_TYPE_TEGRA241_CMDQV && this.#parts.area.queues > 0;
  }

  /** @param vmid of the nesting parent. @throws IommuError EINVAL no data, or of the wrong length; EFAULT; ENOMEM */
  alloc(viommu: number, type: number, vmid: number, data: DriverData | undefined, regions: MmapRegions): void {
    const call = 'VIOMMU_ALLOC';
    const { area, arena } = this.#parts;
    const vsmmu = allocVsmmu(area, vmid);
    if (vsmmu < 0) throw new IommuError('ENOMEM', call, 'vsmmus', area.vsmmus, 'all are in use');
    const row = this.rowAt(vsmmu);
    this.#words[row + VSMMU_VIOMMU] = viommu;
    this.#words[row + VSMMU_TYPE] = type;
    this.#words[arena.base(VIOMMUS_REGION) + viommu] = vsmmu;
    if (type !== VIOMMU_TYPE_TEGRA241_CMDQV) return;
    try {
      this.#offerPage(call, row, data, regions);
    } catch (error) {
      this.free(viommu);
      throw error;
    }
  }

  #offerPage(call: string, row: number, data: DriverData | undefined, regions: MmapRegions): void {
    const { ram } = this.#parts;
    if (data === undefined)
      throw new IommuError('EINVAL', call, 'data_len', 0, 'where the registers are is told there');
    readData(call, VIOMMU_TEGRA241_CMDQV, data);
    const frame = ram.alloc(PAGE_FRAMES);
    if (frame === 0) throw new IommuError('ENOMEM', call, 'page', frame, 'no frames are left');
    Atomics.store(this.#words, row + VSMMU_FRAME, frame);
    const bytes = new Uint8Array(VIOMMU_TEGRA241_CMDQV.bytes);
    const outVintfMmapOffset = regions.offer(frame * PAGE_BYTES, VCMDQ_PAGE_BYTES);
    const out = { outVintfMmapOffset, outVintfMmapLength: BigInt(VCMDQ_PAGE_BYTES) };
    encodeData(VIOMMU_TEGRA241_CMDQV, out, new DataView(bytes.buffer));
    data.write(bytes);
  }

  /** No vdevice, nested domain or queue is left of it. */
  free(viommu: number): void {
    const { area, ram, arena } = this.#parts;
    const vsmmu = this.vsmmuOf(viommu);
    const frame = Atomics.exchange(this.#words, this.rowAt(vsmmu) + VSMMU_FRAME, 0);
    for (let page = 0; frame !== 0 && page < PAGE_FRAMES; page++) ram.put(frame + page);
    this.#words[arena.base(VIOMMUS_REGION) + viommu] = 0;
    orThrow(destroyVsmmu(area, vsmmu), 'freeViommu', 'viommu', viommu, 'is still in use');
  }

  vsmmuOf(viommu: number): number {
    return this.#words[this.#parts.arena.base(VIOMMUS_REGION) + viommu];
  }
  rowAt(vsmmu: number): number {
    return this.#parts.arena.base(VSMMUS_REGION) + vsmmu * VSMMU_ROW_WORDS;
  }

  /** All commands are copied before any is looked at. Those before the first bad one are done, and waited for; `entries` says how many.
   * @throws IommuError EINVAL type; EFAULT, E2BIG; EIO a command that is not a guest's to give, or a stream that it has not; ETIMEDOUT */
  invalidate(viommu: number, entries: DriverEntries): void {
    if (entries.type !== VIOMMU_INVALIDATE_DATA_ARM_SMMUV3)
      throw new IommuError('EINVAL', INVALIDATE, 'data_type', entries.type, 'is not that of an SMMUv3 vIOMMU');
    const { bytes: size } = VIOMMU_ARM_SMMUV3_INVALIDATE;
    const commands = new Int32Array(entries.count * COMMAND_WORDS);
    const bytes = new Uint8Array(commands.buffer);
    for (let i = 0; i < entries.count; i++) entries.read(i, bytes.subarray(i * size, (i + 1) * size));
    const { area, self, vdevices, ops, arena } = this.#parts;
    const guest = new GuestCommands(area, this.vsmmuOf(viommu), self, vdevices, ops);
    const at = scratchAt(arena, self.id) + SCRATCH_COMMANDS;
    for (let done = 0; done < entries.count; done += GUEST_BATCH) {
      const count = Math.min(GUEST_BATCH, entries.count - done);
      this.#words.set(commands.subarray(done * COMMAND_WORDS, (done + count) * COMMAND_WORDS), at);
      const result = guest.submit(at, count);
      entries.done(done + guest.completed);
      const op = commands[(done + guest.completed) * COMMAND_WORDS] & 0xff;
      orThrow(result, INVALIDATE, 'cmd', op, `entry ${done + guest.completed} is refused`);
    }
  }

  hasHwQueue(viommu: number, type: number): boolean {
    if (type !== HW_QUEUE_TYPE_TEGRA241_CMDQV) return false;
    return this.#words[this.rowAt(this.vsmmuOf(viommu)) + VSMMU_TYPE] === VIOMMU_TYPE_TEGRA241_CMDQV;
  }

  /** The guest switches it on. @returns the queue before, which it needs; -1: none. @throws IommuError EINVAL index, length (a power of two
   * from 32 bytes on), address (a multiple of that); EEXIST; EIO the one before is missing */
  allocHwQueue(viommu: number, index: number, physical: number, bytes: number): number {
    const vsmmu = this.vsmmuOf(viommu);
    const isThere = index < this.#parts.area.queues;
    if (isThere) this.#clearPage(vsmmu, index, true);
    const result = this.#vcmdqs.map(vsmmu, index, physical, bytes);
    orThrow(result, 'HW_QUEUE_ALLOC', 'index', index, `${bytes} bytes at ${physical} are refused`);
    return index - 1;
  }

  /** On return the hardware reads it no more. @throws IommuError ETIMEDOUT it does not let go */
  freeHwQueue(viommu: number, index: number): void {
    const vsmmu = this.vsmmuOf(viommu);
    orThrow(this.#vcmdqs.unmap(vsmmu, index), 'freeHwQueue', 'index', index, 'is held');
    this.#clearPage(vsmmu, index, false);
  }

  /** @param ifFree leaves a queue that is mapped alone: another has it. */
  #clearPage(vsmmu: number, index: number, ifFree: boolean): void {
    const frame = Atomics.load(this.#words, this.rowAt(vsmmu) + VSMMU_FRAME);
    if (ifFree && this.#vcmdqs.isMapped(vsmmu, index)) return;
    new VcmdqPage(this.#parts.area, vsmmu, this.#memory, (frame * PAGE_BYTES) / WORD_BYTES).clear(index);
  }
}
