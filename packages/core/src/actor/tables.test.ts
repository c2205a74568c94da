import { expect, test } from 'vitest';
import { createMachine } from 'xstate';
import { ACTOR_EVENTS, EVENT_READY, EVENT_STOP, eventTable } from './event-codes.ts';
import { deviceMachine } from './machines/device.machine.ts';
import { domainMachine } from './machines/domain.machine.ts';
import { queueMachine } from './machines/queue.machine.ts';
import { Placement } from './placement.ts';
import { checkStates, isInState, statePath, stateTable } from './state-codes.ts';

test('names and codes are each other, the same for all who know the same names', () => {
  const table = eventTable(['mine', 'yours']);
  for (const name of table.names) expect(table.name(table.code(name))).toBe(name);
  expect(eventTable(['mine', 'yours']).names).toEqual(table.names);
  expect([table.code('host.stop'), table.code('host.ready')]).toEqual([EVENT_STOP, EVENT_READY]);
});

test('a name twice, an unknown name and an unknown code are refused', () => {
  expect(() => eventTable(['bind'])).toThrow('event = "bind": is in the table already');
  expect(() => eventTable([''])).toThrow('must be a name');
  expect(() => eventTable().code('fly')).toThrow('event = "fly": no such event');
  for (const code of [0, -1, 1000]) expect(() => eventTable().name(code)).toThrow(`event = ${code}`);
});

test('the tables hold every event and state of our machines', () => {
  const states = stateTable();
  for (const machine of [queueMachine, deviceMachine, domainMachine]) {
    expect(() => checkStates(machine, states)).not.toThrow();
    for (const event of machine.events.filter((name) => !name.startsWith('xstate.')))
      expect(ACTOR_EVENTS).toContain(event);
  }
});

test('a machine with a state outside the table, or in several at once, is refused at once', () => {
  const strange = createMachine({ id: 's', initial: 'bound', states: { bound: { initial: 'x', states: { x: {} } } } });
  expect(() => checkStates(strange, stateTable())).toThrow('state = "bound.x": of machine s');
  expect(() => checkStates(strange, stateTable(['bound.x']))).not.toThrow();
  const parallel = createMachine({ id: 'p', type: 'parallel', states: { bound: {}, attached: {} } });
  expect(() => checkStates(parallel, stateTable())).toThrow('parallel');
});

test('a state is in itself and in its parents', () => {
  expect(statePath({ draining: 'disabling-pri' })).toBe('draining.disabling-pri');
  expect(isInState('draining.drained', 'draining')).toBe(true);
  expect(isInState('draining', 'draining')).toBe(true);
  expect(isInState('draining', 'draining.drained')).toBe(false);
  expect(isInState('drainingly', 'draining')).toBe(false);
});

test('a placement answers by name and by id', () => {
  const placement = new Placement(['hw', 'iopf'], { dev: { id: 5, host: 'iopf' }, evtq: { id: 1, host: 'hw' } });
  expect([placement.id('dev'), placement.id(5), placement.name(1)]).toEqual([5, 5, 'evtq']);
  expect([placement.hostOf(5), placement.hostOf(1), placement.hostOf(2)]).toEqual([2, 1, 0]);
  expect(placement.actorsOn(2)).toEqual(['dev']);
  expect(placement.name(2)).toBe('');
  for (const actor of ['nobody', 2, 0, -1]) expect(() => placement.id(actor)).toThrow('no such actor');
});

test('a wrong placement is refused, naming the field', () => {
  const hosts = ['hw', 'iopf'];
  expect(() => new Placement(['hw', 'hw'], {})).toThrow('hosts = "hw"');
  expect(() => new Placement(hosts, { dev: { id: 0, host: 'hw' } })).toThrow('actors.dev.id = 0');
  expect(() => new Placement(hosts, { dev: { id: 1, host: 'gpu' } })).toThrow('actors.dev.host = "gpu"');
  const twice = { dev: { id: 1, host: 'hw' }, evtq: { id: 1, host: 'hw' } };
  expect(() => new Placement(hosts, twice)).toThrow('actors.evtq.id = 1');
});
