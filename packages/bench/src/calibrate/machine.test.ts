import { GENERATIONS } from '@faultline/core/iopf';
import { describe, expect, test } from 'vitest';
import { Machine } from './machine.ts';
import { STAGES, timeStages } from './stages.ts';

const order = { devices: 2, pagesPerJob: 16 };

describe.each(GENERATIONS)('%s', (generation) => {
  test('a cycle ends with all pages there; discarded or taken, leased ones as well, they fault again', async () => {
    const machine = new Machine({ ...order, generation });
    await machine.enable();
    const cycle = (): void => {
      machine.stall();
      machine.hardware();
      machine.report();
      machine.handle();
      machine.hardware();
      machine.collect();
      machine.touch();
      machine.touch();
    };
    cycle();
    machine.discard();
    cycle();
    machine.take();
    cycle();
    expect(() => machine.stall()).toThrow('is there');
  });

  test('each stage is timed, in full turns and in turns of one', async () => {
    const machine = new Machine({ ...order, generation });
    await machine.enable();
    const times = timeStages(machine, true, { warmupMs: 1, timeMs: 5 });
    for (const name of STAGES) expect(times[name].item.ns + times[name].turn.ns, name).toBeGreaterThan(0);
    expect(times.touch.ns).toBeGreaterThan(0);
  });
});
