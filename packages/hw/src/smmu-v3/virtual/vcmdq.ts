import { checkInteger, ERRNO } from '@faultline/core/errors';
import { type Doorbell, mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';
import { COMMAND_WORDS } from '../commands.ts';
import { GERROR_CMDQ } from '../registers.ts';
import {
  VCMDQ_BASE,
  VCMDQ_CONFIG,
  VCMDQ_CONS,
  VCMDQ_GERROR,
  VCMDQ_GERRORN,
  VCMDQ_LOG2,
  VCMDQ_PROD,
  VCMDQ_STATUS,
  type VirtualArea,
  VSMMU_QUEUE_MUTEX,
} from './layout.ts';
import { getVsmmu, putVsmmu } from './vsmmu.ts';

// Virtual command queues in the manner of Tegra241: a queue in the guest's own memory that the hardware reads by itself. The host maps and
// unmaps it; the guest switches it on and fills it; what it may contain, vcmdq-hardware.ts says.
//
// Ordering.
//   [B] map: CONS, LOG2, then BASE               pairs with  hardware: BASE, then LOG2, CONS
//   [S] hardware: STATUS = 1, then BASE          pairs with  unmap: BASE = 0, then STATUS
//   [T] hardware: last access, then STATUS = 0   pairs with  unmap: STATUS, then the memory is its owner's again
// [S] is store-then-load on both sides: the hardware sees that the queue is gone, or the host that it is in use. CONFIG is the guest's, who may
// switch the queue on again at any moment: nothing rests on it.

/** CONFIG and STATUS. */
export const VCMDQ_EN = 1;

const MIN_BYTES = 32;
const WORD_BYTES = 4;
const COMMAND_BYTES = COMMAND_WORDS * WORD_BYTES;
const SLICE_MS = 100;

export interface VcmdqConfig {
  /** IDR1.CMDQS: log2 of the most commands in a queue, 0 to 19. */
  readonly maxLog2: number;
  /** The hardware host's doorbell. */
  readonly hardwareDoorbell: Pick<Doorbell, 'ring'>;
  /** How long to wait for a hardware that does not let a queue go. Default 10 s. */
  readonly timeoutMs?: number;
  /** Where guests' queues are, from address 0 on. Default: the memory of the virtual side. */
  readonly memory?: Words;
}

/** The host's side of all virtual command queues. One instance a thread. */
export class Vcmdqs {
  readonly #area: VirtualArea;
  readonly #self: ThreadSelf;
  readonly #maxBytes: number;
  readonly #hardware: Pick<Doorbell, 'ring'>;
  readonly #timeoutMs: number;
  readonly #memory: Words;

  /** @throws IommuError EINVAL */
  constructor(area: VirtualArea, self: ThreadSelf, config: VcmdqConfig) {
    checkInteger('Vcmdqs', 'maxLog2', config.maxLog2, 0, 19);
    this.#area = area;
    this.#self = self;
    this.#maxBytes = COMMAND_BYTES << config.maxLog2;
    this.#memory = config.memory ?? area.words;
    this.#hardware = config.hardwareDoorbell;
    this.#timeoutMs = config.timeoutMs ?? 10_000;
  }

  /** Maps queue `queue` of a vSMMU to memory from byte address `base` on, which its owner keeps in place. The guest switches it on.
   * @returns 0, or negative errno: ENOENT no such vSMMU, EINVAL the queue, the length (a power of two from 32 bytes on, as IDR1.CMDQS allows)
   * or the address (a multiple of the length, inside memory), EEXIST it is mapped, EIO the queue before it is not: the hardware maps
   * them in ascending order. Context: may block. @see Linux tegra241_vintf_alloc_lvcmdq_user() */
  map(vsmmu: number, queue: number, base: number, bytes: number): number {
    const { words, queues } = this.#area;
    if (!Number.isInteger(queue) || queue < 0 || queue >= queues) return -ERRNO.EINVAL;
    const got = getVsmmu(this.#area, 'Vcmdqs.map', vsmmu);
    if (got !== 0) return got;
    const mutex = this.#area.vsmmuAt('Vcmdqs.map', vsmmu) + VSMMU_QUEUE_MUTEX;
    mutexLock(words, mutex, this.#self);
    const refused = this.#refuses(vsmmu, queue, base, bytes);
    if (refused === 0) {
      const at = this.#area.queueAt('Vcmdqs.map', vsmmu, queue);
      words[at + VCMDQ_LOG2] = Math.log2(bytes / COMMAND_BYTES);
      Atomics.store(words, at + VCMDQ_BASE, base / WORD_BYTES); // [B]
    }
    mutexUnlock(words, mutex, this.#self);
    if (refused !== 0) putVsmmu(this.#area, vsmmu);
    return refused;
  }

  /** Switches a queue off and takes its memory away: on return the hardware reads it no more, and a later owner finds the queue as new.
   * An ATC invalidation of it that has timed out is still to be reported: the caller follows with a CMD_SYNC of the host's.
   * @returns 0, or negative errno: ENOENT it is not mapped, EBUSY the queue after it is: they go in descending order, ETIMEDOUT the hardware
   * holds on to it, and it stays mapped. @throws IommuError EINVAL Context: blocks. @see Linux tegra241_vintf_destroy_lvcmdq_user() */
  unmap(vsmmu: number, queue: number): number {
    const { words, queues } = this.#area;
    const at = this.#area.queueAt('Vcmdqs.unmap', vsmmu, queue);
    const mutex = this.#area.vsmmuAt('Vcmdqs.unmap', vsmmu) + VSMMU_QUEUE_MUTEX;
    mutexLock(words, mutex, this.#self);
    try {
      if (Atomics.load(words, at + VCMDQ_BASE) === 0) return -ERRNO.ENOENT;
      if (queue + 1 < queues && this.isMapped(vsmmu, queue + 1)) return -ERRNO.EBUSY;
      if (!this.#release(at)) return -ERRNO.ETIMEDOUT;
      for (const register of [VCMDQ_CONFIG, VCMDQ_PROD, VCMDQ_CONS]) Atomics.store(words, at + register, 0);
      Atomics.store(words, at + VCMDQ_GERRORN, Atomics.load(words, at + VCMDQ_GERROR) & GERROR_CMDQ);
    } finally {
      mutexUnlock(words, mutex, this.#self);
    }
    putVsmmu(this.#area, vsmmu);
    return 0;
  }

  /** Whether a queue has memory: a moment's truth. @throws IommuError EINVAL */
  isMapped(vsmmu: number, queue: number): boolean {
    return Atomics.load(this.#area.words, this.#area.queueAt('Vcmdqs', vsmmu, queue) + VCMDQ_BASE) !== 0;
  }

  #refuses(vsmmu: number, queue: number, base: number, bytes: number): number {
    if (this.isMapped(vsmmu, queue)) return -ERRNO.EEXIST;
    if (queue > 0 && !this.isMapped(vsmmu, queue - 1)) return -ERRNO.EIO;
    const powerOfTwo = Number.isInteger(bytes) && bytes > 0 && Number.isInteger(Math.log2(bytes));
    if (!powerOfTwo || bytes < MIN_BYTES || bytes > this.#maxBytes) return -ERRNO.EINVAL;
    const inside = base > 0 && base + bytes <= this.#memory.length * WORD_BYTES;
    return Number.isInteger(base) && base % bytes === 0 && inside ? 0 : -ERRNO.EINVAL;
  }

  #release(at: number): boolean {
    const { words } = this.#area;
    const base = Atomics.exchange(words, at + VCMDQ_BASE, 0); // [S]
    this.#hardware.ring();
    for (const deadline = performance.now() + this.#timeoutMs; ; ) {
      const status = Atomics.load(words, at + VCMDQ_STATUS); // [S] [T]
      if (status === 0) return true;
      if (performance.now() >= deadline) break;
      Atomics.wait(words, at + VCMDQ_STATUS, status, SLICE_MS);
    }
    Atomics.store(words, at + VCMDQ_BASE, base);
    return false;
  }
}
