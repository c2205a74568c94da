import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const PACKAGES = new URL('../../', import.meta.url).pathname;
/** bench -> { iommufd, hw } -> core: what each package's sources may import of the others. A package may name itself: what it
 * writes for its users does. */
const ALLOWED: Record<string, readonly string[]> = {
  core: [],
  hw: ['core'],
  iommufd: ['core'],
  bench: ['core', 'hw', 'iommufd'],
};

test.each(Object.keys(ALLOWED))('%s imports only what lies below it', (name) => {
  const files = globSync(`${name}/src/**/*.ts`, { cwd: PACKAGES });
  expect(files.length).toBeGreaterThan(5);
  const wrong = files.flatMap((file) =>
    [...readFileSync(PACKAGES + file, 'utf8').matchAll(/(?:from|import) '@faultline\/(\w+)/g)]
      .filter(([, other]) => other !== name && !ALLOWED[name].includes(other))
      .map(([statement]) => `${file}: ${statement}`),
  );
  expect(wrong).toEqual([]);
});

test('the thread that drains a hardware queue meets the core through its interfaces alone', () => {
  const pump = readFileSync(`${PACKAGES}hw/src/smmu-v3/event-pump.ts`, 'utf8');
  expect(pump).toContain('FaultReporter');
  expect(pump).not.toMatch(/FaultPath|IopfSystem/);
});
