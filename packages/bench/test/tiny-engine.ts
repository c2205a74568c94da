// The built engine with parameters so small that a cell takes a moment, and the threads it starts.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Worker } from 'node:worker_threads';
import { defaultParameters } from '../src/scenario/defaults.ts';
import type { StressParameters } from '../src/scenario/parameters.ts';
import type { Cell, RunHooks } from '../src/stress/types.ts';
import { built } from './built.ts';

export const engine = await built<typeof import('../src/stress/run.ts')>('stress/run.js');
const { runCell } = await built<typeof import('../src/stress/run-cell.ts')>('stress/run-cell.js');
export type Stage = import('../src/stress/run-cell.ts').CellStage;
type Order = import('../src/stress/run-cell.ts').CellOrder;

/** Without a length, so that faults or seconds can be given. */
export function tiny(over: Partial<StressParameters> = {}): StressParameters {
  const { seconds: _, ...base } = defaultParameters('stress', true);
  return { ...base, threads: [6], generations: ['lockless'], pagesPerJob: 8, handlers: 2, ...over };
}

/** One cell without warming up: of the first generation, at the first thread count.
 * @param parameters that take effect anew in each cell: none that the arena or the crew is laid out for. */
export function runOrder(
  stage: Stage,
  over: Partial<Order> = {},
  parameters: Partial<StressParameters> = {},
): Promise<Cell> {
  const plan = { ...stage.plan, parameters: { ...stage.plan.parameters, ...parameters } };
  const [order] = engine.planOrders(plan.parameters);
  return runCell({ ...stage, plan }, { ...order, ...over });
}

/** As {@link runOrder}, on a stage of its own. @param look sees the arena as the cell left it. */
export function runTiny(
  over: Partial<StressParameters>,
  look: (stage: Stage) => void = () => {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Cell> {
  return engine.onStage(tiny(over), signal, async (stage) => {
    await growAll(stage);
    const cell = await runOrder(stage);
    look(stage);
    return cell;
  });
}

export function growAll({ crew, plan, signal }: Stage): Promise<void> {
  return crew.growDevices(plan.crew.deviceWorkers, () => {}, signal);
}

/** Hooks that keep the cells, and call `onLabel` at the second word of progress with each label: what it names runs by then. */
export function hooksFor(
  signal: AbortSignal,
  onLabel: (label: string) => void = () => {},
): RunHooks & { told: Cell[]; planned: number[]; done: number[] } {
  const told: Cell[] = [];
  const planned: number[] = [];
  const done: number[] = [];
  const times = new Map<string, number>();
  return {
    ...{ signal, told, planned, done },
    onPlan: (cells, seconds) => void planned.push(cells, seconds),
    onCell: (cell) => void told.push(cell),
    onNote: () => {},
    onProgress: (doneSeconds, _, label) => {
      done.push(doneSeconds);
      const count = (times.get(label) ?? 0) + 1;
      times.set(label, count);
      if (count === 2) onLabel(label);
    },
  };
}

/** Every thread that is started while it watches. */
export class ThreadWatch {
  readonly threads: Worker[] = [];
  readonly #on = (message: unknown): void => void this.threads.push((message as { worker: Worker }).worker);

  constructor() {
    subscribe('worker_threads', this.#on);
  }
  stop(): void {
    unsubscribe('worker_threads', this.#on);
  }
  get alive(): Worker[] {
    return this.threads.filter(({ threadId }) => threadId !== -1);
  }
  /** A thread of the hosts' pool, which names none. */
  host(): Worker {
    const found = this.alive.find(({ threadName }) => !/^(device|handler)\.worker$/.test(threadName ?? ''));
    if (found === undefined) throw new Error('no host lives');
    return found;
  }
  /** One that lives, by the name it was given. */
  named(name: string): Worker {
    const found = this.alive.find(({ threadName }) => threadName === name);
    if (found === undefined)
      throw new Error(`no thread ${name} among ${this.alive.map(({ threadName }) => threadName).join(', ')}`);
    return found;
  }
}
