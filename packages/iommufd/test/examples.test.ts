// The examples as they are: over the built package. Run the build first.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const EXAMPLES = fileURLToPath(new URL('../examples/', import.meta.url));

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: EXAMPLES, timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test('a machine is migrated while its device writes', async () => {
  const { code, stdout, stderr } = await run('live-migration/main.ts', '--pages', '256', '--few', '16', '--link', '20');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^round 1: 256 pages/);
  expect(stdout).toMatch(/^device stopped: [1-9]\d* pages, down for \d/m);
  expect(stdout).toMatch(/^the copy is the same, byte for byte$/m);
}, 60_000);

test('without the last round something is lost, and the comparison sees it', async () => {
  const { code, stdout } = await run('live-migration/main.ts', '--pages', '256', '--no-last-round', '--link', '20');
  expect(code).toBe(1);
  expect(stdout).toMatch(/^[1-9]\d* pages differ$/m);
}, 60_000);

test('an option out of range is refused by name', async () => {
  const { code, stderr } = await run('live-migration/main.ts', '--pages', '6');
  expect(code).toBe(2);
  expect(stderr).toBe('--pages: must be a whole number from 64 to 65536, got 6\n');
});

test('a fault queue by itself', async () => {
  const { stdout, stderr } = await run('fault-queue.ts');
  expect(stderr).toBe('');
  expect(stdout).toMatch(/page 16\n.*page 17\nthe device gets 0\n/);
  expect(stdout).toContain('no group of this queue waits under it');
});
