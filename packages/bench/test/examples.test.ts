// The example as it is: this package's sources over the built others. Run the build first.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('a guest mends its own page table, and the bytes of its device arrive', async () => {
  const example = fileURLToPath(new URL('../examples/guest-fault.ts', import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [example], { timeout: 30_000 });
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n').slice(3)).toEqual([
    'device: writes 8192 bytes to 0x202000, and waits',
    'vmm: device 1 asks for 0x203000 of PASID 5',
    'guest: 0x203000 is at 0x100b000',
    'vmm: answers Success',
    'device: is done',
    'guest: the bytes are in RAM at 0x1008000 and 0x100b000: true, true',
    'vmm: closed, 0 pages are pinned',
  ]);
}, 60_000);
