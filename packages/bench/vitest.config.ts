import { defineConfig } from 'vitest/config';

const explored = ['**/*.explore.test.ts'];
const threaded = ['**/*.threads.test.ts'];
const elsewhere = ['**/node_modules/**', '**/dist/**'];
// A test's limit finds what hangs. Machines are shared: what takes half a second alone may take ten beside others.
const testTimeout = 60_000;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'bench',
          testTimeout,
          include: ['**/*.test.ts'],
          exclude: [...elsewhere, ...threaded, ...explored],
          maxWorkers: 2,
        },
      },
      // One at a time, after the others: real threads want the processors to themselves.
      {
        test: {
          name: 'threads',
          testTimeout,
          include: threaded,
          exclude: elsewhere,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      // The same: an exploration's threads hand the turn to one another by spinning.
      {
        test: {
          name: 'explore',
          testTimeout,
          include: explored,
          exclude: elsewhere,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
