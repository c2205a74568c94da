import { expect, test } from 'vitest';
import { Arena, planArena } from '../memory/index.ts';
import { Rcu } from '../sync/index.ts';
import { RCU_REGION } from './actor-regions.ts';
import type { HostDeath } from './system-options.ts';
import { echoHost, startEcho, testArena } from './testing/system.test-help.ts';

const NAMES = ['left.door', 'left.queue', 'left.hand'];

test.each([
  ['exit', 'worker exited with code: 5'],
  ['throw-in-timer', 'a timer broke'],
  ['throw-in-pump', 'the pump broke'],
  ['fill-memory', 'memory limit'],
])('a host that dies by %s is reported with its actors; the others stop cleanly', async (event, why) => {
  const arena = testArena(2, 64);
  const system = await startEcho(arena, [echoHost('left', 1), echoHost('right', 2)], {
    resourceLimits: { maxOldGenerationSizeMb: 32 },
  });
  const deaths: HostDeath[] = [];
  system.on('host-died', (death) => deaths.push(death));
  const waiting = system.reached('left.door', 'ajar');
  system.send('left.hand', event);
  await expect(waiting).rejects.toMatchObject({ code: 'EPIPE', call: 'ActorSystem', field: 'host', value: 'left' });
  expect(deaths).toHaveLength(1);
  expect(deaths[0]).toMatchObject({ host: 'left', actors: NAMES });
  expect(deaths[0].error.message).toContain(why);
  expect(deaths[0].error.message).toContain(NAMES.join(', '));
  expect(() => system.send('left.door', 'open')).toThrow(deaths[0].error);
  await expect(system.reached('left.queue', 'enabled')).rejects.toBe(deaths[0].error);

  system.send('right.door', 'open');
  await system.reached('right.door', 'ajar');
  const rcu = new Rcu(arena.words, arena.base(RCU_REGION));
  await rcu.synchronizeAsync(); // a dead thread holds nobody up
  const [left, right] = await system.stop();
  expect(left).toEqual({ name: 'left', error: deaths[0].error });
  expect(right.exit?.name).toBe('right');
});

test.each([
  ['setup-throws', 'no such device'],
  ['setup-exits', 'worker exited with code: 3'],
] as const)('start rejects when a host dies by %s', async (badly, why) => {
  const started = startEcho(testArena(2, 64), [echoHost('left', 1, badly), echoHost('right', 2)]);
  await expect(started).rejects.toMatchObject({ code: 'EPIPE', value: 'left', message: expect.stringContaining(why) });
});

test('a setup module that is missing, or exports no setup, is named', async () => {
  for (const [setup, why] of [
    ['./testing/nowhere.test-setup.ts', 'nowhere.test-setup.ts'],
    ['./event-codes.ts', 'must export a HostSetup'],
  ]) {
    const host = { ...echoHost('left', 1), setup: new URL(setup, import.meta.url) };
    await expect(startEcho(testArena(1, 64), [host])).rejects.toThrow(why);
  }
});

test('a start with wrong parts is refused before any thread is made', async () => {
  const left = echoHost('left', 1);
  const arena = testArena(2, 64);
  const refused = (hosts: Parameters<typeof startEcho>[1]): Promise<unknown> =>
    startEcho(arena, hosts).then(String, (error) => `${error.code} ${error.field}`);
  expect(await refused([])).toBe('EINVAL hosts.length');
  expect(await refused([left, echoHost('left', 2)])).toBe('EINVAL hosts');
  expect(await refused([left, echoHost('right', 1)])).toBe('EINVAL self.id');
  expect(await refused([echoHost('left', 3)])).toBe('EINVAL self.id');
  expect(await refused([{ ...left, setup: './echo.ts' as unknown as URL }])).toBe('EINVAL setup');
  expect(await refused([left, echoHost('right', 2), echoHost('third', 3)])).toBe('EINVAL self.id');
  const bare = Arena.create(planArena([{ name: 'test', words: 1 }]));
  await expect(startEcho(bare, [left])).rejects.toMatchObject({ code: 'ENOENT', value: 'actor.rcu' });
});

test('what cannot be sent to a thread ends its host, and says so', async () => {
  const left = { ...echoHost('left', 1), data: { prefix: () => {} } };
  await expect(startEcho(testArena(1, 64), [left])).rejects.toThrow('could not be cloned');
});

test('a host that does not come back is terminated at stop', async () => {
  const system = await startEcho(testArena(2, 64), [echoHost('left', 1), echoHost('right', 2)], { stopTimeoutMs: 200 });
  system.send('left.hand', 'hang');
  const [left, right] = await system.stop();
  expect(left.error).toMatchObject({ code: 'EPIPE', value: 'left' });
  expect(right.exit?.name).toBe('right');
});
