import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

/** A run that has measured two cells and goes on. */
async function running(env: Record<string, string> = {}): Promise<{ child: ChildProcess; out: Promise<string> }> {
  const program = new URL('../../test/fake-main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [program, 'stress', '--quick'], { env: { ...process.env, ...env } });
  const out = text(child.stdout);
  for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) if (`${chunk}`.includes('2/10')) break;
  child.stderr.resume();
  return { child, out };
}

test.each(['SIGINT', 'SIGTERM'] as const)('%s prints what was measured and exits with 130', async (signal) => {
  const { child, out } = await running();
  const sent = performance.now();
  child.kill(signal);
  const [code] = await once(child, 'exit');
  expect(code).toBe(130);
  expect(performance.now() - sent).toBeLessThan(2000);
  expect(await out).toContain('PARTIAL: interrupted, 2 cells were measured');
});

test('a second signal ends a run that does not stop, at once', async () => {
  const { child } = await running({ DEAF: '1' });
  child.kill('SIGINT');
  const again = setInterval(() => child.kill('SIGINT'), 50); // two that come together count as one
  const sent = performance.now();
  const [code] = await once(child, 'exit');
  clearInterval(again);
  expect(code).toBe(130);
  expect(performance.now() - sent).toBeLessThan(1500);
});
