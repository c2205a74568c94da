// What other programs take of the processors: a run beside them is slower, and the model knows nothing of them.
import { availableParallelism, cpus } from 'node:os';

interface Reading {
  readonly busyMs: number;
  readonly ownMs: number;
  readonly atMs: number;
}

/** Of the reference loop: long enough for the clock, short beside a cell. */
const LOOP_TURNS = 1e7;
/** The first is that of cold code, and any may share its core with others: the least counts. */
const LOOPS = 6;

export class DisturbanceMeter {
  #last: Reading = read();

  /** @returns the share of the processors, 0 to 1, that others had since the last call. */
  lap(): number {
    const now = read();
    const wall = (now.atMs - this.#last.atMs) * availableParallelism();
    const others = now.busyMs - this.#last.busyMs - (now.ownMs - this.#last.ownMs);
    this.#last = now;
    return Math.min(1, Math.max(0, others / wall));
  }
}

function read(): Reading {
  const busyMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  const { user, system } = process.cpuUsage();
  return { busyMs, ownMs: (user + system) / 1000, atMs: performance.now() };
}

/** Processor time that a fixed piece of work takes, in milliseconds: it changes with the clock's speed and with what shares the core. */
export function referenceLoop(): number {
  return Math.min(...Array.from({ length: LOOPS }, loopOnce));
}

function loopOnce(): number {
  const { user: before, system: systemBefore } = process.cpuUsage();
  let value = 1;
  for (let i = 0; i < LOOP_TURNS; i++) value = Math.imul(value ^ i, 0x9e3779b1);
  const { user, system } = process.cpuUsage();
  return value === 0 ? 0 : (user - before + system - systemBefore) / 1000;
}
