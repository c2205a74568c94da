import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { workerUrl } from '@faultline/core';
import { type Figures, figuresOf } from '../figures.ts';
import { ITEMS, type PairCase, ROUND, STOP, STRUCTURE } from './case.ts';
import type { PairTask, SideReport } from './pair.worker.ts';
import { MOST_ITEMS, MOST_TRIPS, warmUp } from './warm-up.ts';

/** Items a second, or nanoseconds of a round trip. */
export interface PairRow extends Figures {
  readonly name: string;
  readonly kind: PairCase['kind'];
  readonly peerOf?: string;
  /** As times the peer's figure of the same turn, where both were measured in turns. */
  readonly inTurn?: Figures;
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
const ROUND_LIMIT_MS = 120_000;

/** Measures one case between two fresh threads, which no other case has taught its types. The main thread sleeps meanwhile.
 * @throws Error when a round does not end, or what came is not what was sent. */
export async function measurePair(pair: PairCase, options: PairOptions): Promise<PairRow> {
  const [row] = await measureTurns([pair], options);
  return row;
}

/** Measures cases of one kind in turns, a repeat of each: what else the machine does hits them alike, and a peer is compared
 * with its counterpart of the same turn. Threads whose turn it is not sleep. Errors as {@link measurePair}. */
export async function measureTurns(cases: readonly PairCase[], { repeats, roundMs }: PairOptions): Promise<PairRow[]> {
  const all: Contender[] = [];
  try {
    for (const pair of cases) {
      const threads = new Pair(pair);
      const contender: Contender = { pair, threads, items: FIRST_ITEMS, figures: [] };
      all.push(contender);
      const round = async (items: number): Promise<number> => (await threads.round(items)).seconds;
      const most = pair.kind === 'round trip' ? MOST_TRIPS : MOST_ITEMS;
      contender.items = await warmUp(FIRST_ITEMS, roundMs, round, most);
    }
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const { pair, threads, items, figures } of all) {
        const { seconds } = await threads.round(items);
        figures.push(pair.kind === 'throughput' ? items / seconds : (seconds * 1e9) / items);
      }
    }
    return all.map((each) => rowOf(each, all));
  } finally {
    for (const { threads } of all) await threads.stop();
  }
}

interface Contender {
  readonly pair: PairCase;
  readonly threads: Pair;
  items: number;
  readonly figures: number[];
}

function rowOf({ pair: { name, kind, peerOf }, items, figures }: Contender, all: readonly Contender[]): PairRow {
  const ours = all.find(({ pair }) => pair.name === peerOf);
  return {
    name,
    kind,
    ...(peerOf === undefined ? {} : { peerOf }),
    ...(ours === undefined ? {} : { inTurn: figuresOf(figures.map((figure, turn) => figure / ours.figures[turn])) }),
    items,
    ...figuresOf(figures),
  };
}

/** The two threads of one case. Context: its methods one at a time. */
export class Pair {
  readonly #pair: PairCase;
  /** What the sides share: the case's own begin at STRUCTURE. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #workers: Worker[];
  #rounds = 0;

  /** @param options.heap have each side watch its heap during each round. */
  constructor(pair: PairCase, { heap = false }: { heap?: boolean } = {}) {
    this.#pair = pair;
    this.words = new Int32Array(new SharedArrayBuffer((STRUCTURE + pair.words) * 4));
    pair.init?.(this.words, STRUCTURE);
    const { port1, port2 } = new MessageChannel();
    this.#workers = [port1, port2].map((port, side) => {
      const task: PairTask = { name: pair.name, side: side as 0 | 1, words: this.words, port, heap };
      return new Worker(workerUrl('pair.worker', import.meta.url), { workerData: task, transferList: [port] });
    });
  }

  /** Sends `items` through. @throws Error when the round does not end, or what came is not what was sent. */
  async round(items: number): Promise<Round> {
    const limit = AbortSignal.timeout(ROUND_LIMIT_MS);
    const ends = this.#workers.map((worker) => once(worker, 'message', { signal: limit }));
    Atomics.store(this.words, ITEMS, items);
    Atomics.store(this.words, ROUND, ++this.#rounds);
    Atomics.notify(this.words, ROUND);
    const [[first], [second]] = (await Promise.all(ends)) as [[SideReport], [SideReport]];
    const due = this.#pair.check(items);
    if (second.result !== due) throw new Error(`${this.#pair.name}: ${items} items gave ${second.result}, not ${due}`);
    const seconds = (Math.max(first.endedNs, second.endedNs) - Math.min(first.beganNs, second.beganNs)) / 1e9;
    return { seconds, reports: [first, second] };
  }

  async stop(): Promise<void> {
    Atomics.store(this.words, STOP, 1);
    Atomics.store(this.words, ROUND, ++this.#rounds);
    Atomics.notify(this.words, ROUND);
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
