import { expect, test } from 'vitest';
import { createMachine, fromCallback } from 'xstate';
import { actorRegions, initActorRegions, mailboxRegion } from './actor-regions.ts';
import { EVENT_STOP } from './event-codes.ts';
import { HostContext } from './host-context.ts';
import { type HostTask, parseHostTask } from './host-task.ts';
import { MailboxSender } from './mailbox.ts';
import { testArena } from './testing/system.test-help.ts';
import { workerUrl } from './worker-url.ts';

function task(more: Partial<Record<keyof HostTask, unknown>> = {}): Record<string, unknown> {
  return {
    host: 1,
    hosts: ['here', 'there'],
    actors: { near: { id: 1, host: 'here' }, far: { id: 2, host: 'there' } },
    self: { id: 1, spins: 0 },
    arena: testArena(2, 4).share(),
    setup: 'file:///setup.ts',
    data: undefined,
    events: ['poke'],
    states: ['only'],
    ...more,
  };
}

const only = createMachine({ id: 'only', initial: 'only', states: { only: {} } });
const open = (): HostContext => new HostContext(parseHostTask(task()), () => {});

test.each([
  ['task', null],
  ['host', task({ host: 3 })],
  ['host', task({ host: 0 })],
  ['hosts', task({ hosts: [''] })],
  ['hosts', task({ hosts: 'here' })],
  ['self', task({ self: undefined })],
  ['self.id', task({ self: { id: 0, spins: 0 } })],
  ['self.spins', task({ self: { id: 1, spins: -1 } })],
  ['arena', task({ arena: undefined })],
  ['arena.regions', task({ arena: {} })],
  ['setup', task({ setup: './setup.ts' })],
  ['events', task({ events: [1] })],
  ['states', task({ states: undefined })],
  ['actors', task({ actors: 7 })],
])('a task with a wrong %s is refused by that name', (field, value) => {
  expect(() => parseHostTask(value)).toThrow(expect.objectContaining({ code: 'EINVAL', call: 'parseHostTask', field }));
});

test('an actor is added once, on the host it was placed on, with states that have codes', () => {
  const host = open();
  expect(() => host.addActor('nobody', only)).toThrow('no such actor');
  expect(() => host.addActor('far', only)).toThrow('is placed on host there');
  expect(() => host.addReceiver('far', () => {})).toThrow('is placed on host there');
  const strange = createMachine({ id: 'strange', initial: 'else', states: { else: {} } });
  expect(() => host.addActor('near', strange)).toThrow('state = "else"');
  expect(host.addActor('near', only).getSnapshot().value).toBe('only');
  expect(() => host.addActor(1, only)).toThrow('was added before');
});

test('sending says when the mailbox is full, and refuses names that are nobody', () => {
  const host = open();
  const full: string[] = [];
  host.events.on('overflow', (what) => full.push(what));
  const sent = [1, 2, 3, 4, 5].map(() => host.send('far', 'poke'));
  expect(sent).toEqual([true, true, true, true, false]);
  expect(full).toEqual(['mailbox of actor far']);
  expect(host.port('far', 'poke', 'near').send()).toBe(false);
  expect(() => host.send('nobody', 'poke')).toThrow('actor = "nobody"');
  expect(() => host.send('far', 'fly')).toThrow('event = "fly"');
});

test('a logic without states is hosted too, and stopped at the end', async () => {
  const host = open();
  const seen: unknown[] = [];
  const logic = fromCallback<{ type: string; sender: number; a: number }>(({ receive }) => {
    receive((event) => seen.push(event.type, event.sender, event.a));
    return () => seen.push('gone');
  });
  host.addActor('near', logic);
  host.port('near', 'poke', 'far').send(42);
  const ended = host.run();
  host.port('near', 'poke').send(43);
  tellToStop(host);
  expect(await ended).toMatchObject({ name: 'here', events: 3, refused: 0, failures: [] });
  expect(seen).toEqual(['poke', 2, 42, 'poke', 0, 43, 'gone']);
});

test('what nobody takes is told inside the thread', async () => {
  const host = open();
  const refused: unknown[] = [];
  host.events.on('refused', (event) => refused.push(event));
  host.send('near', 'poke');
  const ended = host.run();
  tellToStop(host);
  await ended;
  expect(refused).toEqual([{ actor: 'near', event: 'poke', state: 'not on this host' }]);
});

test('pumps are known by one name each', () => {
  const host = open();
  const pump = { name: 'drain', run: () => 0, hasWork: () => false };
  host.addPump(pump);
  expect(() => host.addPump(pump)).toThrow('name = "drain"');
  expect(() => host.pumps.on('fly')).toThrow('no such pump among drain');
  host.pumps.on('drain');
  host.pumps.on('drain');
  expect([host.pumps.active.length, host.pumps.isOn('drain')]).toEqual([1, true]);
  host.pumps.off('drain');
  expect([host.pumps.active.length, host.pumps.isOn('drain')]).toEqual([0, false]);
});

test('regions that do not fit are refused by name', () => {
  expect(() => initActorRegions(testArena(2, 4), 3, 4)).toThrow(expect.objectContaining({ field: 'actor.rcu' }));
  expect(() => initActorRegions(testArena(2, 4), 2, 8)).toThrow(expect.objectContaining({ field: 'actor.mailbox.0' }));
  expect(() => actorRegions(0, 4)).toThrow('hosts = 0');
  expect(() => actorRegions(2, 4, 1)).toThrow('threads = 1');
});

test('a worker is found beside its importer, by the importer`s extension', () => {
  expect(workerUrl('host.worker', 'file:///p/src/actor/x.ts').href).toBe('file:///p/src/actor/host.worker.ts');
  expect(workerUrl('host.worker', 'file:///p/dist/actor/x.js?v=1').href).toBe('file:///p/dist/actor/host.worker.js');
  expect(() => workerUrl('host.worker', 'file:///p/x.mjs')).toThrow('must end in .ts or .js');
});

/** Sends the stop event as the main thread does. */
function tellToStop({ arena }: HostContext): void {
  new MailboxSender(arena.words, arena.base(mailboxRegion(1))).send(0, EVENT_STOP, 0, 0, 0, 0, 0);
}
