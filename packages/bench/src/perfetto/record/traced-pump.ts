import type { Clock } from '@faultline/core/sync';
import type { TraceWriter } from '@faultline/core/trace';
import type { Pump } from '../../stress/family/family.ts';
import { DRAIN, DRAINED, FILL, PENDING } from '../events.ts';

/** Ticks between two looks at counters that must be summed up first. */
const LOOK_TICKS = 10_000;

/** What is read as a pump begins. */
export interface Levels {
  /** The queue that faults come in by. */
  readonly queue: number;
  fill(): number;
  /** Domains whose pending groups are counted. */
  readonly domains: number;
  pending(domain: number): number;
}

/** A pump that records when it had something to do, and how full its queue was then and is left. */
export class TracedPump implements Pump {
  readonly #pump: Pump;
  readonly #queue: number;
  readonly #trace: TraceWriter;
  readonly #clock: Clock;
  readonly #levels: Levels | undefined;
  readonly #pending: Int32Array;
  #filled = 0;
  #looked = 0;

  constructor(pump: Pump, queue: number, trace: TraceWriter, clock: Clock, levels?: Levels) {
    this.#pump = pump;
    this.#queue = queue;
    this.#trace = trace;
    this.#clock = clock;
    this.#levels = levels;
    this.#pending = new Int32Array((levels?.domains ?? 0) + 1);
  }

  pump(budget: number): number {
    if (!this.#pump.needsWork()) return this.#pump.pump(budget);
    const begin = this.#clock();
    this.#trace.record(begin, DRAIN, this.#queue, 0);
    if (this.#levels !== undefined) this.#look(begin, this.#levels);
    const done = this.#pump.pump(budget);
    const end = this.#clock();
    this.#trace.record(end, DRAINED, this.#queue, done);
    if (this.#levels !== undefined) this.#lookFill(end, this.#levels);
    this.#trace.publish();
    return done;
  }

  needsWork(): boolean {
    return this.#pump.needsWork();
  }

  #lookFill(tick: number, { queue, fill }: Levels): void {
    const now = fill();
    if (now === this.#filled) return;
    this.#filled = now;
    this.#trace.record(tick, FILL, queue, now);
  }

  /** Records what has changed. */
  #look(tick: number, levels: Levels): void {
    this.#lookFill(tick, levels);
    if (((tick - this.#looked) | 0) < LOOK_TICKS) return;
    this.#looked = tick;
    for (let domain = 1; domain <= levels.domains; domain++) {
      const count = levels.pending(domain);
      if (count === this.#pending[domain]) continue;
      this.#pending[domain] = count;
      this.#trace.record(tick, PENDING, domain, count);
    }
  }
}
