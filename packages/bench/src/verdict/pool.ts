// Simulations on all processors. What comes back depends on what is asked alone, never on who simulates it or when.
import { workerUrl } from '@faultline/core/actor';
import { Piscina } from 'piscina';
import type { ModelConfig, SeriesPoint } from '../model/index.ts';
import type { Answer, Outcome } from './outcome.ts';
import type { SimulationTask } from './simulate.worker.ts';

/** The verdict was told to stop: what has been simulated stays. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export interface PoolHooks {
  /** A simulation was asked for that has not been made yet. */
  onAsked(): void;
  onDone(): void;
  readonly signal: AbortSignal;
}

export class SimulationPool {
  readonly #pool: Piscina<SimulationTask, Answer>;
  readonly #hooks: PoolHooks;
  readonly #known: Map<string, Promise<Answer>> = new Map();
  readonly threads: number;
  simulations = 0;
  events = 0;

  constructor(threads: number, hooks: PoolHooks) {
    this.threads = threads;
    this.#hooks = hooks;
    this.#pool = new Piscina({
      filename: workerUrl('simulate.worker', import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
      idleTimeout: Number.POSITIVE_INFINITY,
      concurrentTasksPerWorker: 1,
    });
  }

  /** Simulates, unless it has been simulated before. @throws Interrupted */
  async run(config: ModelConfig, seed: number): Promise<Outcome> {
    return (await this.#answer(config, seed, false)).outcome;
  }

  /** With what happened over time. @throws Interrupted */
  async runSeries(
    config: ModelConfig,
    seed: number,
  ): Promise<{ readonly outcome: Outcome; readonly series: readonly SeriesPoint[] }> {
    const { outcome, series = [] } = await this.#answer(config, seed, true);
    return { outcome, series };
  }

  #answer(config: ModelConfig, seed: number, withSeries: boolean): Promise<Answer> {
    const key = `${seed} ${withSeries} ${keyOf(config)}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const answer = this.#simulate({ config, seed, withSeries });
    this.#known.set(key, answer);
    return answer;
  }

  async #simulate(task: SimulationTask): Promise<Answer> {
    const { onAsked, onDone, signal } = this.#hooks;
    if (signal.aborted) throw new Interrupted();
    onAsked();
    let answer: Answer;
    try {
      answer = await this.#pool.run(task, { signal });
    } catch (error) {
      if (signal.aborted) throw new Interrupted('', { cause: error });
      throw error;
    }
    this.simulations++;
    this.events += answer.outcome.events;
    onDone();
    return answer;
  }

  destroy(): Promise<void> {
    return this.#pool.destroy();
  }
}

/** What other generations cost, and what `adaptive` does, makes no difference to a generation that has neither. */
function keyOf(config: ModelConfig): string {
  const { generation, costs, adaptive, ...rest } = config;
  const own = Object.entries(costs).flatMap(([name, { ns }]) => {
    const [, of] = /^(?:report|respond)\.(\w+)\./.exec(name) ?? [];
    return of === undefined || of === generation ? [`${name}=${ns}`] : [];
  });
  return JSON.stringify([generation, own, generation === 'adaptive' ? adaptive : 0, rest]);
}

/** Items that are under way at once, a thread of the pool: enough to keep it busy while a bisection waits for its next. */
const UNDER_WAY_PER_THREAD = 3;

/** Makes something of each item, in their order, a few at a time: when the verdict is interrupted, those before are finished.
 * @returns what was finished, in order. @throws what else went wrong. */
export async function finished<T, R>(
  pool: SimulationPool,
  items: readonly T[],
  make: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Map<number, R>();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      try {
        results.set(at, await make(items[at]));
      } catch (error) {
        if (!(error instanceof Interrupted)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY_PER_THREAD * pool.threads }, work));
  return [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
}
