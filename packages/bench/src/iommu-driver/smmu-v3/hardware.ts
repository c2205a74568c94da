import type { Arena } from '@faultline/core/memory';
import { type Clock, Doorbell, type Words } from '@faultline/core/sync';
import { SmmuHardware, type TranslationUnit } from '@faultline/hw/smmu-v3';
import { VcmdqPage, VirtualArea } from '@faultline/hw/smmu-v3/virtual';
import type { PhysicalMemory } from '@faultline/iommufd';
import { PAGE_BYTES } from '@faultline/iommufd';
import { ENTRIES_REGION } from '../common/index.ts';
import { IRQ_BELL, SMMU_REGION, VIRTUAL_REGION, VSMMU_FRAME, VSMMU_ROW_WORDS, VSMMUS_REGION } from './layout.ts';
import { portsOf, type SmmuUnitConfig } from './region.ts';

const WORD_BYTES = 4;

/** The SMMU itself: it walks the host's tables and the guests' in RAM, and reads guests' command queues there. One, in the thread that plays
 * the hardware; devices' accesses are made on that thread as well. */
export class SmmuMachinery {
  readonly hardware: SmmuHardware;
  readonly translation: TranslationUnit;
  readonly #words: Words;
  readonly #memory: Words;
  readonly #area: VirtualArea;
  readonly #rows: number;

  constructor(arena: Arena, ram: PhysicalMemory, config: SmmuUnitConfig, clock: Clock) {
    const { words } = arena;
    const tablesAt = words.byteOffset + arena.base(ENTRIES_REGION) * WORD_BYTES;
    const tables = new BigInt64Array(words.buffer, tablesAt, arena.sizeWords(ENTRIES_REGION) / 2);
    this.#words = words;
    this.#memory = new Int32Array(ram.bytes.buffer);
    this.#rows = arena.base(VSMMUS_REGION);
    this.#area = new VirtualArea(words, arena.base(VIRTUAL_REGION));
    this.hardware = new SmmuHardware(words, arena.base(SMMU_REGION), {
      ports: portsOf(config).map(({ name }) => arena.base(name)),
      irq: new Doorbell(words, arena.base(IRQ_BELL)),
      clock,
      virtual: this.#area,
      memory: { tables, ram: new BigInt64Array(ram.bytes.buffer) },
    });
    const { translation } = this.hardware;
    if (translation === undefined) throw new Error('SmmuMachinery: an SMMU with memory translates');
    this.translation = translation;
  }

  /** Works for a while. @returns what was dealt with. */
  pump(budget: number): number {
    this.#pages((page) => page.take());
    const done = this.hardware.pump(budget);
    this.#pages((page) => page.show());
    return done;
  }

  #pages(body: (page: VcmdqPage) => void): void {
    if (this.#area.queues === 0) return;
    for (let vsmmu = 1; vsmmu <= this.#area.vsmmus; vsmmu++) {
      const frame = Atomics.load(this.#words, this.#rows + vsmmu * VSMMU_ROW_WORDS + VSMMU_FRAME);
      if (frame !== 0) body(new VcmdqPage(this.#area, vsmmu, this.#memory, (frame * PAGE_BYTES) / WORD_BYTES));
    }
  }
}
