import { expect, test } from 'vitest';
import { Arrivals, loadPreset, MODEL_GENERATIONS, PRESET_NAMES } from './index.ts';

const DEVICES = 4;
/** Long enough together for a page scanner to come round, if there were one. */
const RARE_NS = 5e6;

/** Groups of 1 to 8 pages, `everyNs` apart. */
function feed(preset: (typeof PRESET_NAMES)[number], generation: (typeof MODEL_GENERATIONS)[number], everyNs: number) {
  const config = { ...loadPreset(preset).config, generation, threads: DEVICES, devices: DEVICES, grain: 1 };
  const latencies: number[] = [];
  const arrivals = new Arrivals(config, 7, 256, (ns) => latencies.push(ns));
  for (let group = 0; group < 500; group++) arrivals.arrive(group * everyNs, group % DEVICES, 1 + (group % 8));
  arrivals.finish();
  const { answered, held, now } = arrivals;
  return { answered, held, now, latencies };
}

test.each(PRESET_NAMES)('every group that arrives at %s is answered once, the same each time', (preset) => {
  for (const generation of MODEL_GENERATIONS) {
    const rare = feed(preset, generation, RARE_NS);
    expect([rare.answered, rare.latencies.length, rare.held]).toEqual([500, 500, 0]);
    expect(rare.now).toBeGreaterThan(499 * RARE_NS);
    expect(feed(preset, generation, RARE_NS)).toEqual(rare);
    const crowded = feed(preset, generation, 0);
    expect([crowded.answered, crowded.held > 0]).toEqual([500, true]);
    const mean = (all: number[]): number => all.reduce((sum, ns) => sum + ns, 0) / all.length;
    expect(mean(crowded.latencies)).toBeGreaterThan(mean(rare.latencies)); // they wait for one another
  }
});
