// The engine: cells in an order that is fair to every generation, on threads that are started once.
import type { Generation } from '@faultline/core/iopf';
import { requestParts } from '../replay/record/stress-recording.ts';
import type { StressParameters } from '../scenario/parameters.ts';
import { Crew } from './crew.ts';
import { makeArena, makePlan, type PlanParts } from './plan.ts';
import { type CellOrder, type CellStage, runCell } from './run-cell.ts';
import type { Cell, RunHooks, RunOutcome } from './types.ts';

export { calibrate } from './calibrate.ts';

/** Before the first cell of a generation, so that none is measured with cold code. */
const WARM_UP_SECONDS = 0.5;
/** With few threads, which leave the processors to the hosts and handlers whose code it is. */
const WARM_UP_THREADS = 8;
/** Faults of each device thread before its first measured cell: every thread compiles its own code, at its neighbours' cost. */
const WARM_UP_FAULTS = 2000;
/** What a cell takes besides its length: fresh arena, hosts, PRI-off. */
const OVERHEAD_SECONDS = 0.15;
const WORKERS_PER_SECOND = 60;
const FAULTS_PER_SECOND_GUESS = 300_000;
const PROGRESS_MS = 200;

/** Opens a stage for `parameters`, runs `body` on it, ends all threads. */
export async function onStage<T>(
  parameters: StressParameters,
  signal: AbortSignal,
  body: (stage: CellStage) => Promise<T>,
  parts: PlanParts = {},
): Promise<T> {
  const plan = makePlan(parameters, parts);
  const arena = makeArena(plan);
  const crew = new Crew(arena, plan);
  try {
    return await body({ arena, plan, crew, signal });
  } finally {
    await crew.quit();
  }
}

export async function runCells(parameters: StressParameters, hooks: RunHooks): Promise<RunOutcome> {
  const orders = planOrders(parameters);
  const { signal } = hooks;
  const cells: Cell[] = [];
  const clock = new Progress(parameters, orders, hooks);
  const inTurn = async (stage: CellStage): Promise<void> => {
    const warm = new Set<Generation>();
    for (const order of orders) {
      const workers = Math.ceil(order.threads / parameters.threadsPerWorker);
      const fresh = stage.crew.deviceWorkers < workers;
      await stage.crew.growDevices(workers, (count) => clock.started(count), signal);
      if (signal.aborted) return;
      if (fresh) {
        clock.label(`warming up ${order.threads} device threads`);
        await runCell(stage, { ...order, faults: order.threads * WARM_UP_FAULTS, seconds: undefined });
        clock.done((order.threads * WARM_UP_FAULTS) / FAULTS_PER_SECOND_GUESS);
        if (signal.aborted) return;
      }
      if (!warm.has(order.generation)) {
        warm.add(order.generation);
        clock.label(`warming up ${order.generation}`);
        const threads = Math.min(order.threads, WARM_UP_THREADS);
        await runCell(stage, { ...order, threads, faults: undefined, seconds: WARM_UP_SECONDS });
        clock.done(WARM_UP_SECONDS + OVERHEAD_SECONDS);
        if (signal.aborted) return;
      }
      clock.label(`${order.generation}, ${order.threads} threads, repeat ${order.repeat + 1} of ${parameters.repeats}`);
      const cell = await runCell(stage, { ...order, requests: hooks.requests }, hooks.recorder);
      cells.push(cell);
      hooks.onCell(cell);
      clock.done();
      if (signal.aborted) return;
    }
  };
  const parts = { ...requestParts(hooks.requests), ...(hooks.recorder && { trace: hooks.recorder }) };
  await onStage(parameters, signal, inTurn, parts).finally(() => clock.end());
  return { cells, partial: signal.aborted };
}

/** Each repeat goes once through the generations, in an order drawn anew: none is always first, or always after the same.
 * With compareScanner each thread count ends with a round without the scanner. */
export function planOrders(parameters: StressParameters): CellOrder[] {
  const { generations, repeats, scanner, compareScanner, timeoutMs, faults, seconds } = parameters;
  const random = mulberry32(parameters.seed);
  const orders: CellOrder[] = [];
  for (const threads of [...parameters.threads].sort((a, b) => a - b)) {
    const round = (repeat: number, scanPeriodMs: number): void => {
      for (const generation of shuffled(generations, random))
        orders.push({ generation, threads, repeat, scanPeriodMs, timeoutMs, faults, seconds });
    };
    for (let repeat = 0; repeat < repeats; repeat++) round(repeat, scanner);
    if (compareScanner && scanner > 0) round(0, 0);
  }
  return orders;
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Numbers from 0 to 1, the same for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How far a run is, in seconds of its own estimate. */
class Progress {
  readonly #hooks: RunHooks;
  readonly #total: number;
  readonly #cellSeconds: number;
  readonly #timer: NodeJS.Timeout;
  #doneSeconds = 0;
  #told = 0;
  #workers = 0;
  #since: number = performance.now();
  #label = 'starting';

  constructor(parameters: StressParameters, orders: readonly CellOrder[], hooks: RunHooks) {
    this.#hooks = hooks;
    this.#cellSeconds = (parameters.seconds ?? (parameters.faults ?? 0) / FAULTS_PER_SECOND_GUESS) + OVERHEAD_SECONDS;
    const workers = Math.ceil(Math.max(...parameters.threads) / parameters.threadsPerWorker);
    const growing = [...parameters.threads].reduce((sum, threads) => sum + threads, 0);
    this.#total =
      (growing * WARM_UP_FAULTS) / FAULTS_PER_SECOND_GUESS +
      orders.length * this.#cellSeconds +
      workers / WORKERS_PER_SECOND +
      parameters.generations.length * (WARM_UP_SECONDS + OVERHEAD_SECONDS);
    hooks.onPlan(orders.length, this.#total);
    this.#timer = setInterval(() => this.#tell(), PROGRESS_MS);
  }

  started(count: number): void {
    this.#doneSeconds += (count - this.#workers) / WORKERS_PER_SECOND;
    this.#workers = count;
    this.label(`starting device threads: ${count}`);
  }
  label(text: string): void {
    this.#label = text;
    this.#since = performance.now();
    this.#tell();
  }
  /** A cell, or `seconds` of warming up, is over. */
  done(seconds: number = this.#cellSeconds): void {
    this.#doneSeconds += seconds;
    this.#since = performance.now();
    this.#tell();
  }
  end(): void {
    clearInterval(this.#timer);
  }
  #tell(): void {
    const running = Math.min(this.#cellSeconds, (performance.now() - this.#since) / 1000);
    // Never backwards, where a cell took longer than estimated.
    this.#told = Math.max(this.#told, Math.min(this.#total, this.#doneSeconds + running));
    this.#hooks.onProgress(this.#told, this.#total, this.#label);
  }
}
