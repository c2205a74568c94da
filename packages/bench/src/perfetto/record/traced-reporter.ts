import { FAULT_DEVICE, FAULT_PAGE_LO, type FaultPath, type FaultReporter } from '@faultline/core/iopf';
import type { Clock, Words } from '@faultline/core/sync';
import type { TraceWriter } from '@faultline/core/trace';
import { REFUSE, REPORT } from '../events.ts';
import type { FaultNumbers } from '../place.ts';

type Reporter = FaultReporter & Pick<FaultPath, 'discardPartial'>;

/** A fault path that records what is reported to it. */
export class TracedReporter implements Reporter {
  readonly #path: Reporter;
  readonly #words: Words;
  readonly #trace: TraceWriter;
  readonly #numbers: FaultNumbers;
  readonly #clock: Clock;

  constructor(path: Reporter, words: Words, trace: TraceWriter, numbers: FaultNumbers, clock: Clock) {
    this.#path = path;
    this.#words = words;
    this.#trace = trace;
    this.#numbers = numbers;
    this.#clock = clock;
  }

  prepareFault(): number {
    return this.#path.prepareFault();
  }
  /** The time is that before the report: a handler may have the group before it returns. */
  reportDeviceFault(recordAt: number): number {
    const number = this.#numbers.of(this.#words[recordAt + FAULT_PAGE_LO]);
    if (number === 0) return this.#path.reportDeviceFault(recordAt);
    const device = this.#words[recordAt + FAULT_DEVICE];
    const tick = this.#clock();
    const result = this.#path.reportDeviceFault(recordAt);
    this.#trace.record(tick, result === 0 ? REPORT : REFUSE, device, number);
    return result;
  }
  endBatch(): void {
    this.#path.endBatch();
    this.#trace.publish();
  }
  discardPartial(device: number): number {
    return this.#path.discardPartial(device);
  }
}
