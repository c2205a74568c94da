import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { workerUrl } from '@faultline/core';
import { type Figures, figuresOf } from '../figures.ts';
import { ITEMS, type PairCase, ROUND, STOP, STRUCTURE } from './case.ts';
import type { PairTask, SideReport } from './pair.worker.ts';

/** Items a second, or nanoseconds of a round trip. */
export interface PairRow extends Figures {
  readonly name: string;
  readonly kind: PairCase['kind'];
  readonly peerOf?: string;
  /** How many went through in each repeat. */
  readonly items: number;
}

export interface PairOptions {
  readonly repeats: number;
  /** How long one repeat is to take: the number of items is chosen for it. */
  readonly roundMs: number;
}

export interface Round {
  /** From the first side's start to the last side's end. */
  readonly seconds: number;
  readonly reports: readonly [SideReport, SideReport];
}

const FIRST_ITEMS = 256;
const MOST_ITEMS = 2 ** 30;
const ROUND_LIMIT_MS = 30_000;

/** Measures one case between two fresh threads, which no other case has taught its types. The main thread sleeps meanwhile.
 * @throws Error when a round does not end, or what came is not what was sent. */
export async function measurePair(pair: PairCase, { repeats, roundMs }: PairOptions): Promise<PairRow> {
  const threads = new Pair(pair);
  try {
    let items = FIRST_ITEMS;
    let { seconds } = await threads.round(items);
    while (seconds * 1000 < roundMs / 2 && items < MOST_ITEMS) {
      // warm-up: grows until a round is about long enough
      items = Math.min(MOST_ITEMS, Math.ceil(items * Math.min(16, roundMs / 1000 / seconds)));
      ({ seconds } = await threads.round(items));
    }
    const figures: number[] = [];
    for (let repeat = 0; repeat < repeats; repeat++) {
      ({ seconds } = await threads.round(items));
      figures.push(pair.kind === 'throughput' ? items / seconds : (seconds * 1e9) / items);
    }
    const { name, kind, peerOf } = pair;
    return { name, kind, ...(peerOf === undefined ? {} : { peerOf }), items, ...figuresOf(figures) };
  } finally {
    await threads.stop();
  }
}

/** The two threads of one case. Context: its methods one at a time. */
export class Pair {
  readonly #pair: PairCase;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #workers: Worker[];
  #rounds = 0;

  /** @param options.heap have each side watch its heap during each round. */
  constructor(pair: PairCase, { heap = false }: { heap?: boolean } = {}) {
    this.#pair = pair;
    this.#words = new Int32Array(new SharedArrayBuffer((STRUCTURE + pair.words) * 4));
    pair.init?.(this.#words, STRUCTURE);
    const { port1, port2 } = new MessageChannel();
    this.#workers = [port1, port2].map((port, side) => {
      const task: PairTask = { name: pair.name, side: side as 0 | 1, words: this.#words, port, heap };
      return new Worker(workerUrl('pair.worker', import.meta.url), { workerData: task, transferList: [port] });
    });
  }

  /** Sends `items` through. @throws Error when the round does not end, or what came is not what was sent. */
  async round(items: number): Promise<Round> {
    const limit = AbortSignal.timeout(ROUND_LIMIT_MS);
    const ends = this.#workers.map((worker) => once(worker, 'message', { signal: limit }));
    Atomics.store(this.#words, ITEMS, items);
    Atomics.store(this.#words, ROUND, ++this.#rounds);
    Atomics.notify(this.#words, ROUND);
    const [[first], [second]] = (await Promise.all(ends)) as [[SideReport], [SideReport]];
    const due = this.#pair.check(items);
    if (second.result !== due) throw new Error(`${this.#pair.name}: ${items} items gave ${second.result}, not ${due}`);
    const seconds = (Math.max(first.endedNs, second.endedNs) - Math.min(first.beganNs, second.beganNs)) / 1e9;
    return { seconds, reports: [first, second] };
  }

  async stop(): Promise<void> {
    Atomics.store(this.#words, STOP, 1);
    Atomics.store(this.#words, ROUND, ++this.#rounds);
    Atomics.notify(this.#words, ROUND);
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
