import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_HI_MASK,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
} from '@faultline/core/iopf';
import type { Arena } from '@faultline/core/memory';
import { SpscProducer } from '@faultline/core/ring';
import type { Clock, Words } from '@faultline/core/sync';
import type { Interrupt, Reporter } from '../../stress/family/family.ts';
import {
  lostAt,
  REQUEST_DEVICE,
  REQUEST_FLAGS,
  REQUEST_INDEX,
  REQUEST_LAST,
  REQUEST_PAGE_HI,
  REQUEST_PAGE_LO,
  REQUEST_PASID,
  REQUEST_TICK,
  ringBase,
} from './request-ring.ts';

/** A fault path that writes down what is reported to it, where Linux has its prq_report event. Allocates nothing, never waits: what finds
 * the ring full is counted. */
export class RecordingReporter implements Reporter {
  readonly #path: Reporter;
  readonly #words: Words;
  readonly #ring: SpscProducer;
  readonly #lostAt: number;
  readonly #clock: Clock;

  constructor(path: Reporter, arena: Arena, clock: Clock) {
    this.#path = path;
    this.#words = arena.words;
    this.#ring = new SpscProducer(arena.words, ringBase(arena));
    this.#lostAt = lostAt(arena);
    this.#clock = clock;
  }

  prepareFault(): number {
    return this.#path.prepareFault();
  }

  reportDeviceFault(recordAt: number): number {
    const words = this.#words;
    const to = this.#ring.claim();
    if (to === 0) Atomics.add(words, this.#lostAt, 1);
    else {
      words[to + REQUEST_DEVICE] = words[recordAt + FAULT_DEVICE];
      words[to + REQUEST_FLAGS] =
        words[recordAt + FAULT_PERM] |
        ((words[recordAt + FAULT_FLAGS] & FAULT_FLAG_LAST_PAGE) !== 0 ? REQUEST_LAST : 0);
      words[to + REQUEST_PASID] = words[recordAt + FAULT_PASID];
      words[to + REQUEST_INDEX] = words[recordAt + FAULT_GRPID];
      words[to + REQUEST_PAGE_LO] = words[recordAt + FAULT_PAGE_LO];
      words[to + REQUEST_PAGE_HI] = words[recordAt + FAULT_PAGE_HI] & FAULT_PAGE_HI_MASK;
      words[to + REQUEST_TICK] = this.#clock();
    }
    return this.#path.reportDeviceFault(recordAt);
  }

  endBatch(): void {
    this.#ring.publish();
    this.#path.endBatch();
  }

  discardPartial(device: number): number {
    return this.#path.discardPartial(device);
  }
}

/** An interrupt's part whose reports are recorded. */
export function recordRequests(interrupt: Interrupt, arena: Arena, clock: Clock): Interrupt {
  return { ops: interrupt.ops, control: (path) => interrupt.control(new RecordingReporter(path, arena, clock)) };
}
