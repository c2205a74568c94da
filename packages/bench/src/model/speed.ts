import type { ModelConfig } from './config.ts';
import { loadPreset } from './presets.ts';
import { simulate } from './run.ts';

export interface Speed {
  readonly events: number;
  readonly seconds: number;
  readonly eventsPerSecond: number;
}

/** Measures how fast a simulation of a busy machine of 128 processors runs on one core here, the best of `rounds`: others may run.
 * @param config without it: 512 threads of the mailing list's class of machine, `locked`. */
export function measureSpeed(rounds: number, config?: ModelConfig): Speed {
  const busy = config ?? { ...loadPreset('reporter-arm128').config, threads: 512, seconds: 2, warmupSeconds: 0 };
  let best: Speed = { events: 0, seconds: 0, eventsPerSecond: 0 };
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    const { events } = simulate(busy, round);
    const seconds = (performance.now() - start) / 1000;
    if (events / seconds > best.eventsPerSecond) best = { events, seconds, eventsPerSecond: events / seconds };
  }
  return best;
}
