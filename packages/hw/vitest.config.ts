import { defineConfig } from 'vitest/config';

// A test's limit finds what hangs. Machines are shared: what takes half a second alone may take ten beside others.
export default defineConfig({ test: { testTimeout: 60_000 } });
