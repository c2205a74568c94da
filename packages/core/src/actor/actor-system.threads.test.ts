import { expect, test } from 'vitest';
import { LINE } from '../sync/index.ts';
import { mailboxRegion } from './actor-regions.ts';
import { EVENTS_TAKEN, PUMP_RUNS } from './testing/echo.test-setup.ts';
import { echoHost, startEcho, testArena, until } from './testing/system.test-help.ts';

test('events reach actors on their hosts, and their states come back', async () => {
  const system = await startEcho(testArena(2, 64), [echoHost('left', 1), echoHost('right', 2)]);
  const seen: string[] = [];
  system.on('transition', ({ actor, state }) => seen.push(`${actor} ${state}`));
  expect(system.state('left.door')).toBe('shut');
  system.send('left.door', 'open');
  system.send('right.queue', 'enable');
  await Promise.all([system.reached('left.door', 'ajar'), system.reached('right.queue', 'enabled')]);
  system.send('right.queue', 'disable');
  await system.reached('right.queue', 'disabled');
  expect(seen.filter((line) => line.startsWith('left'))).toEqual(['left.door ajar']);
  expect(seen.filter((line) => line.startsWith('right'))).toEqual([
    'right.queue enabled',
    'right.queue draining',
    'right.queue disabled',
  ]);
  const reports = await system.stop();
  expect(reports.map(({ name, exit, error }) => [name, exit?.events, exit?.refused, error])).toEqual([
    ['left', 2, 0, undefined],
    ['right', 3, 0, undefined],
  ]);
  await expect(system.reached('left.door', 'shut')).rejects.toMatchObject({ code: 'EPIPE', value: 'left' });
  expect(() => system.send('left.door', 'open')).toThrow('was stopped');
});

test('a host that sleeps is woken by an event, each time', async () => {
  const arena = testArena(1, 64);
  const parked = arena.base(mailboxRegion(1)) + LINE; // the doorbell's PARKED, at the mailbox's start
  const system = await startEcho(arena, [echoHost('left', 1)]);
  for (let i = 0; i < 50; i++) {
    await until(() => Atomics.load(arena.words, parked) === 1);
    system.send('left.door', i % 2 === 0 ? 'open' : 'close');
    await system.reached('left.door', i % 2 === 0 ? 'ajar' : 'shut');
  }
  const [{ exit }] = await system.stop();
  expect(exit?.events).toBe(51);
  expect(exit?.sleeps).toBeGreaterThan(0); // not 50: an event that comes between the announcement and the look saves the sleep
});

test('a pump runs only while its actor has it on', async () => {
  const arena = testArena(1, 64);
  const at = arena.base('test') + PUMP_RUNS;
  const system = await startEcho(arena, [echoHost('left', 1)]);
  const runsAfter = async (state: 'ajar' | 'shut'): Promise<number> => {
    system.send('left.door', state === 'ajar' ? 'open' : 'close'); // a round of the host's loop
    await system.reached('left.door', state);
    return Atomics.load(arena.words, at);
  };
  expect(await runsAfter('ajar')).toBe(0);
  system.send('left.queue', 'enable');
  await system.reached('left.queue', 'enabled');
  await until(() => Atomics.load(arena.words, at) > 0);
  system.send('left.queue', 'disable');
  await system.reached('left.queue', 'disabled');
  const off = await runsAfter('shut');
  expect(await runsAfter('ajar')).toBe(off);
  await system.stop();
});

test('a failing step stops its actor alone, and says which', async () => {
  const system = await startEcho(testArena(1, 64), [echoHost('left', 1)]);
  const failed = new Promise<unknown>((resolve) => system.on('actor-failed', resolve));
  system.send('left.queue', 'enable');
  system.send('left.queue', 'overflow'); // the setup provides no acknowledgeOverflow
  await expect(system.reached('left.queue', 'draining')).rejects.toMatchObject({ code: 'EPIPE', field: 'actor' });
  expect(await failed).toMatchObject({
    actor: 'left.queue',
    state: 'overflowed',
    message: 'StepError: queue.machine: step not provided: acknowledgeOverflow',
  });
  system.send('left.door', 'open');
  await system.reached('left.door', 'ajar');
  const [{ exit }] = await system.stop();
  expect(exit?.failures).toHaveLength(1);
});

test('events that no state takes are counted, not lost silently', async () => {
  const system = await startEcho(testArena(1, 64), [echoHost('left', 1)]);
  for (const event of ['close', 'open', 'open', 'bind']) system.send('left.door', event);
  await system.reached('left.door', 'ajar');
  const [{ exit }] = await system.stop();
  expect(exit).toMatchObject({ events: 5, refused: 3 });
});

test('changes of state that find the mailbox of the main thread full come later, in order', async () => {
  const system = await startEcho(testArena(1, 4), [echoHost('left', 1)]);
  const seen: string[] = [];
  system.on('transition', ({ state }) => seen.push(state));
  const wanted: string[] = [];
  for (let i = 0; i < 40; i++) {
    // Without coming back to the event loop: the host reports into a mailbox that nobody empties.
    while (!system.send('left.door', i % 2 === 0 ? 'open' : 'close'));
    wanted.push(i % 2 === 0 ? 'ajar' : 'shut');
  }
  await until(() => seen.length === 40);
  expect(seen).toEqual(wanted);
  await system.stop();
});

test('stop takes what was sent before, twice is once, and a full mailbox is waited for', async () => {
  const arena = testArena(1, 4);
  const system = await startEcho(arena, [echoHost('left', 1)]);
  let sent = 0;
  while (sent < 100) if (system.send('left.hand', 'poke')) sent++;
  const [first, second] = await Promise.all([system.stop(), system.stop()]);
  expect(first).toBe(second);
  expect(first[0].exit?.events).toBe(101);
  expect(Atomics.load(arena.words, arena.base('test') + EVENTS_TAKEN)).toBe(100);
});
