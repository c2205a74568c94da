import { expect, test } from 'vitest';
import { createActor, waitFor } from 'xstate';
import { pathOf, recordPath, runToEnd } from './machine-paths.test-help.ts';
import { QUEUE_STEPS, queueLogic, queueMachine } from './queue.machine.ts';

test('goes its whole way; the pump rests in disabled alone', async () => {
  const ran: string[] = [];
  const actor = createActor(
    queueLogic((on) => void ran.push(on ? 'pump on' : 'pump off'), {
      acknowledgeOverflow: async () => void ran.push('acknowledgeOverflow'),
      drainQueue: async () => void ran.push('drainQueue'),
    }),
  );
  const path = recordPath(actor);
  actor.send({ type: 'enable' });
  actor.send({ type: 'overflow' });
  await waitFor(actor, (snapshot) => pathOf(snapshot) === 'enabled', { timeout: 1000 });
  actor.send({ type: 'disable' });
  await waitFor(actor, (snapshot) => pathOf(snapshot) === 'disabled', { timeout: 1000 });
  expect(path).toEqual(['disabled', 'enabled', 'overflowed', 'enabled', 'draining', 'disabled']);
  expect(ran).toEqual(['pump on', 'acknowledgeOverflow', 'drainQueue', 'pump off']);
});

test('is disabled from overflowed too, and then takes no acknowledgement', async () => {
  let acknowledged = (): void => {};
  let aborted = false;
  const actor = createActor(
    queueLogic(() => {}, {
      acknowledgeOverflow: ({ signal }) => {
        signal.addEventListener('abort', () => (aborted = true));
        return new Promise((resolve) => (acknowledged = resolve));
      },
      drainQueue: async () => {},
    }),
  );
  const path = recordPath(actor);
  for (const type of ['enable', 'overflow', 'disable'] as const) actor.send({ type });
  acknowledged();
  await waitFor(actor, (snapshot) => pathOf(snapshot) === 'disabled', { timeout: 1000 });
  expect(path).toEqual(['disabled', 'enabled', 'overflowed', 'draining', 'disabled']);
  expect(aborted).toBe(true);
});

test('ignores what a state does not take', () => {
  const actor = createActor(queueLogic(() => {}, { drainQueue: () => new Promise(() => {}) })).start();
  const sendAll = (...types: ('enable' | 'overflow' | 'disable')[]): string => {
    for (const type of types) actor.send({ type });
    return pathOf(actor.getSnapshot());
  };
  expect(sendAll('overflow', 'disable')).toBe('disabled');
  expect(sendAll('enable', 'enable')).toBe('enabled');
  expect(sendAll('disable', 'enable', 'overflow', 'disable')).toBe('draining');
});

test.each(QUEUE_STEPS)('a failing %s stops the actor under its name', async (failing) => {
  const logic = queueLogic(() => {}, {
    acknowledgeOverflow: async () => {},
    drainQueue: async () => {},
    [failing]: () => Promise.reject(new Error('no answer')),
  });
  const events = failing === 'drainQueue' ? ['enable', 'disable'] : ['enable', 'overflow'];
  expect(await runToEnd(createActor(logic), events)).toMatchObject({ machine: 'queue', step: failing });
});

test('steps and pump must be provided', async () => {
  const steps = queueLogic(() => {}, {});
  expect(String(await runToEnd(createActor(steps), ['enable', 'disable']))).toContain('step not provided: drainQueue');
  expect(String(await runToEnd(createActor(queueMachine), ['enable']))).toContain('action not provided: startPump');
});
