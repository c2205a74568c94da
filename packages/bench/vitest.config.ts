import { defineConfig } from 'vitest/config';

const explored = ['**/*.explore.test.ts'];
const elsewhere = ['**/node_modules/**', '**/dist/**'];

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'bench', include: ['**/*.test.ts'], exclude: [...elsewhere, ...explored] } },
      // One at a time, after the others: an exploration's threads hand the turn to one another by spinning.
      {
        test: {
          name: 'explore',
          include: explored,
          exclude: elsewhere,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
