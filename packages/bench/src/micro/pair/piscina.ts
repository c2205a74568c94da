import { fileURLToPath } from 'node:url';
import { workerUrl } from '@faultline/core';
import { Piscina } from 'piscina';
import { figuresOf } from '../figures.ts';
import type { PairOptions, PairRow } from './measure.ts';
import { RING_PARKING } from './round-trips.ts';
import { warmUp } from './warm-up.ts';

/** Measures a task of a piscina pool, there and back, one at a time: its own harness, as the pool makes its own thread. */
export async function measurePiscina({ repeats, roundMs }: PairOptions): Promise<PairRow> {
  const filename = fileURLToPath(workerUrl('echo.worker', import.meta.url));
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1 });
  try {
    const items = await warmUp(64, roundMs, (count) => round(pool, count));
    const figures: number[] = [];
    for (let repeat = 0; repeat < repeats; repeat++) figures.push(((await round(pool, items)) * 1e9) / items);
    return {
      name: 'piscina.run, there and back',
      kind: 'round trip',
      peerOf: RING_PARKING,
      items,
      ...figuresOf(figures),
    };
  } finally {
    await pool.destroy();
  }
}

async function round(pool: Piscina, items: number): Promise<number> {
  const began = process.hrtime.bigint();
  for (let i = 0; i < items; i++) {
    const answer = await pool.run(i);
    if (answer !== i) throw new Error(`piscina.run: sent ${i}, got ${answer}`);
  }
  return Number(process.hrtime.bigint() - began) / 1e9;
}
