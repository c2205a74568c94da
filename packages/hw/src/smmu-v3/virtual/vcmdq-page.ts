import type { Words } from '@faultline/core/sync';
import {
  VCMDQ_CONFIG,
  VCMDQ_CONS,
  VCMDQ_GERROR,
  VCMDQ_GERRORN,
  VCMDQ_PROD,
  VCMDQ_STATUS,
  type VirtualArea,
} from './layout.ts';

// The page of registers that user space maps of a virtual interface: for each of its queues a block of 128 bytes. Here it is memory, and the
// hardware looks at it and answers into it when it works: whoever writes PROD or CONFIG there rings it.
// @see Linux drivers/iommu/arm/arm-smmu-v3/tegra241-cmdqv.c

/** Bytes of the page. */
export const VCMDQ_PAGE_BYTES = 0x10000;
/** Words of a queue's block. */
const BLOCK = 0x80 / 4;
const CONS = 0;
const PROD = 1;
const CONFIG = 2;
const STATUS = 3;
const GERROR = 4;
const GERRORN = 5;

const OF_GUEST: readonly (readonly [page: number, register: number])[] = [
  [GERRORN, VCMDQ_GERRORN],
  [PROD, VCMDQ_PROD],
  [CONFIG, VCMDQ_CONFIG],
];
const OF_HARDWARE: readonly (readonly [page: number, register: number])[] = [
  [STATUS, VCMDQ_STATUS],
  [CONS, VCMDQ_CONS],
  [GERROR, VCMDQ_GERROR],
];

/** The hardware's end of one interface's page. Context: the thread that plays the hardware, before it works and after. */
export class VcmdqPage {
  readonly #area: VirtualArea;
  readonly #vsmmu: number;
  readonly #memory: Words;
  readonly #at: number;

  /** @param at word offset of the page in `memory`. */
  constructor(area: VirtualArea, vsmmu: number, memory: Words, at: number) {
    this.#area = area;
    this.#vsmmu = vsmmu;
    this.#memory = memory;
    this.#at = at;
  }

  /** What the guest wrote becomes the registers. */
  take(): void {
    this.#each((page, register) => {
      for (const [from, to] of OF_GUEST)
        Atomics.store(this.#area.words, register + to, Atomics.load(this.#memory, page + from));
    });
  }

  /** What the registers say becomes what the guest reads. */
  show(): void {
    this.#each((page, register) => {
      for (const [to, from] of OF_HARDWARE)
        Atomics.store(this.#memory, page + to, Atomics.load(this.#area.words, register + from));
    });
  }

  /** A queue's block as at the start: its owner has changed. */
  clear(queue: number): void {
    for (let i = 0; i < BLOCK; i++) Atomics.store(this.#memory, this.#at + queue * BLOCK + i, 0);
    const register = this.#area.queueAt('VcmdqPage.clear', this.#vsmmu, queue);
    const error = Atomics.load(this.#area.words, register + VCMDQ_GERROR);
    Atomics.store(this.#memory, this.#at + queue * BLOCK + GERROR, error);
    Atomics.store(this.#memory, this.#at + queue * BLOCK + GERRORN, error);
  }

  #each(body: (page: number, register: number) => void): void {
    for (let queue = 0; queue < this.#area.queues; queue++)
      body(this.#at + queue * BLOCK, this.#area.queueAt('VcmdqPage', this.#vsmmu, queue));
  }
}
