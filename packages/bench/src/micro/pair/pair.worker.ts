// One side of a pair: waits for a round, meets the other side, runs its loop, says when it began and ended.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Words } from '@faultline/core';
import { ARRIVED, ITEMS, LOOKS, ROUND, STOP, STRUCTURE, standBy } from './case.ts';
import { findCase } from './cases.ts';
import { type HeapUse, HeapWatch } from './heap-watch.ts';

export interface PairTask {
  readonly name: string;
  readonly side: 0 | 1;
  readonly words: Words;
  readonly port: MessagePort;
  readonly heap: boolean;
}
/** Of one side and round. Times are process.hrtime's, the same clock on both sides, as numbers: exact for 104 days of uptime. */
export interface SideReport {
  readonly beganNs: number;
  readonly endedNs: number;
  readonly result: number;
  /** Where the task asked for it. */
  readonly heap?: HeapUse;
}

async function run({ name, side, words, port, heap: watched }: PairTask): Promise<void> {
  const found = findCase(name);
  if (found === undefined) throw new Error(`pair.worker: no case ${name}`);
  const loop = found.sides[side];
  const alive = setInterval(() => {}, 60_000); // Atomics.waitAsync keeps no thread alive
  for (let round = 1; ; round++) {
    Atomics.wait(words, ROUND, round - 1);
    if (Atomics.load(words, STOP) === 1) break;
    const bench = { words, base: STRUCTURE, items: Atomics.load(words, ITEMS), port };
    Atomics.add(words, ARRIVED, 1);
    for (let looks = 0; Atomics.load(words, ARRIVED) < 2 * round; ) if (++looks > LOOKS) looks = standBy(words);
    const watch = watched ? new HeapWatch() : undefined;
    const beganNs = Number(process.hrtime.bigint());
    const running = loop(bench);
    const result = typeof running === 'number' ? running : await running;
    const endedNs = Number(process.hrtime.bigint());
    const heap = watch?.stop();
    const report: SideReport = { beganNs, endedNs, result, ...(heap === undefined ? {} : { heap }) };
    parentPort?.postMessage(report);
  }
  clearInterval(alive);
  port.close();
}

await run(workerData as PairTask);
