import type { Clock, Words } from '@faultline/core/sync';
import { TraceWriter } from '@faultline/core/trace';
import { FEED_INDEX, FEED_PAGE_LO } from '../../replay/run/layout.ts';
import { ReplayEndpoint, type ReplayEndpointConfig, SENT } from '../../replay/run/replay-endpoint.ts';
import { ABORT, GOING, RESUME, STALL, STALLED } from '../events.ts';
import { deviceRing, FaultNumbers, ringBase, type TracePlace } from '../place.ts';

/** A traced request that has no answer. */
interface Traced {
  readonly number: number;
  /** Where its number stands. */
  readonly mark: number;
}

/** A replayed device that records. Two requests for one page may be under way, of several devices too: the first one alone is traced then. */
export class TracedEndpoint extends ReplayEndpoint {
  readonly #words: Words;
  readonly #numbers: FaultNumbers;
  readonly #trace: TraceWriter;
  readonly #clock: Clock;
  readonly #place: TracePlace;
  readonly #thread: number;
  readonly #groups: Map<number, Traced[]> = new Map(); // by index
  #until = 1;
  #number: number;

  constructor(words: Words, config: ReplayEndpointConfig, place: TracePlace, thread: number) {
    super(words, config);
    this.#words = words;
    this.#numbers = new FaultNumbers(words, place);
    this.#trace = new TraceWriter(words, ringBase(place, deviceRing(place, thread)));
    this.#clock = config.clock;
    this.#place = place;
    this.#thread = thread;
    this.#number = thread + 1 - place.deviceThreads;
  }

  /** The request is published later, by {@link pump}: whoever meets it finds its number. */
  override send(at: number): number {
    const found = super.send(at);
    if (found === SENT && --this.#until === 0) {
      this.#until = this.#place.sample;
      this.#mark(this.#words[at + FEED_INDEX], this.#numbers.wordOf(this.#words[at + FEED_PAGE_LO]));
    }
    return found;
  }

  #mark(index: number, mark: number): void {
    const number = (this.#number + this.#place.deviceThreads) | 0;
    if (mark === 0 || Atomics.compareExchange(this.#words, mark, 0, number) !== 0) return;
    this.#number = number;
    const tick = this.#clock();
    if (this.#groups.size === 0) this.#trace.record(tick, STALLED, this.#thread, 0);
    this.#trace.record(tick, STALL, this.#thread, number);
    const group = this.#groups.get(index);
    if (group === undefined) this.#groups.set(index, [{ number, mark }]);
    else group.push({ number, mark });
  }

  override pump(): number {
    const taken = super.pump();
    this.#trace.publish();
    return taken;
  }

  protected override answered(index: number): void {
    this.#end(index, RESUME);
  }
  protected override dropped(): void {
    for (const index of [...this.#groups.keys()]) this.#end(index, ABORT);
  }

  #end(index: number, kind: number): void {
    const group = this.#groups.get(index);
    if (group === undefined) return;
    this.#groups.delete(index);
    const tick = this.#clock();
    for (const { number, mark } of group) {
      Atomics.store(this.#words, mark, 0);
      this.#trace.record(tick, kind, this.#thread, number);
    }
    if (this.#groups.size === 0) this.#trace.record(tick, GOING, this.#thread, 0);
  }
}
