import { expect, test } from 'vitest';
import { defaultParameters } from './defaults.ts';
import { availableMemory, estimateMemory, refuseMemory } from './memory.ts';
import { GENERATIONS } from './parameters.ts';

const GIB = 2 ** 30;
const parameters = { ...defaultParameters('stress', false), handlers: 2 };

test('512 workers are estimated at about 4.4 GiB, as was measured', () => {
  const { totalBytes } = estimateMemory(parameters);
  expect(totalBytes).toBeGreaterThan(4 * GIB);
  expect(totalBytes).toBeLessThan(5 * GIB);
});

test('packing threads into workers takes less', () => {
  const packed = { ...parameters, threadsPerWorker: 8 };
  expect(estimateMemory(packed).workers).toBe(64 + GENERATIONS.length * (2 + 2));
  expect(estimateMemory(packed).totalBytes).toBeLessThan(1.1 * GIB);
});

test('a run that fits is not refused', () => {
  expect(refuseMemory(parameters, 8 * GIB)).toBeNull();
});

test('a run that does not fit is refused with both figures and a way out', () => {
  const refusal = refuseMemory(parameters, 1 * GIB);
  expect(refusal).toMatch(
    /^512 threads need about \d{4} MiB \(532 workers \d+ MiB, shared memory \d+ MiB\), and 1024 MiB are available/,
  );
  expect(refusal).toContain('--threads-per-worker (now 1)');
});

test('this machine has some memory', () => {
  expect(availableMemory()).toBeGreaterThan(2 ** 20);
});
