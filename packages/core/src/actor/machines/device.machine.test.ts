import { expect, test } from 'vitest';
import { createActor, waitFor } from 'xstate';
import { DEVICE_STEPS, type DeviceStep, deviceLogic, deviceMachine } from './device.machine.ts';
import { pathOf, recordPath, runToEnd } from './machine-paths.test-help.ts';
import type { Step } from './step.ts';

const EVENTS = ['bind', 'unbind', 'attach', 'detach', 'enable-pri', 'disable-pri'] as const;

function recordingSteps(ran: string[]): Record<DeviceStep, Step> {
  const steps = {} as Record<DeviceStep, Step>;
  for (const name of DEVICE_STEPS) steps[name] = async () => void ran.push(name);
  return steps;
}

test('goes its whole way, with the steps of PRI-off in their order', async () => {
  const ran: string[] = [];
  const actor = createActor(deviceLogic(recordingSteps(ran)));
  const path = recordPath(actor);
  for (const type of ['bind', 'attach', 'enable-pri', 'disable-pri'] as const) actor.send({ type });
  await waitFor(actor, (snapshot) => pathOf(snapshot) === 'attached', { timeout: 1000 });
  for (const type of ['detach', 'unbind'] as const) actor.send({ type });
  expect(path).toEqual([
    'unbound',
    'bound',
    'attached',
    'pri-enabled',
    'draining.replacing-domain',
    'draining.fencing-event-queue',
    'draining.responding-pending',
    'draining.fencing-responses',
    'draining.disabling-pri',
    'attached',
    'bound',
    'unbound',
  ]);
  expect(ran).toEqual([...DEVICE_STEPS]);
});

test('a step starts only once the one before it has settled', async () => {
  const ran: string[] = [];
  let open = (): void => {};
  const steps = recordingSteps(ran);
  steps.fenceEventQueue = () => new Promise((resolve) => (open = resolve));
  const actor = createActor(deviceLogic(steps)).start();
  for (const type of ['bind', 'attach', 'enable-pri', 'disable-pri'] as const) actor.send({ type });
  await new Promise((resolve) => setImmediate(resolve));
  expect(pathOf(actor.getSnapshot())).toBe('draining.fencing-event-queue');
  expect(ran).toEqual(['replaceDomain']);
  open();
  await waitFor(actor, (snapshot) => pathOf(snapshot) === 'attached', { timeout: 1000 });
});

test('each state takes its own events and ignores all others', () => {
  const legal: Record<string, Record<string, string>> = {
    unbound: { bind: 'bound' },
    bound: { attach: 'attached', unbind: 'unbound' },
    attached: { 'enable-pri': 'pri-enabled', detach: 'bound' },
    'pri-enabled': { 'disable-pri': 'draining.replacing-domain' },
    'draining.replacing-domain': {},
  };
  const ways: Record<string, (typeof EVENTS)[number][]> = {
    unbound: [],
    bound: ['bind'],
    attached: ['bind', 'attach'],
    'pri-enabled': ['bind', 'attach', 'enable-pri'],
    'draining.replacing-domain': ['bind', 'attach', 'enable-pri', 'disable-pri'],
  };
  for (const [state, way] of Object.entries(ways))
    for (const type of EVENTS) {
      const steps = recordingSteps([]);
      steps.replaceDomain = () => new Promise(() => {});
      const actor = createActor(deviceLogic(steps)).start();
      for (const step of way) actor.send({ type: step });
      expect(pathOf(actor.getSnapshot())).toBe(state);
      actor.send({ type });
      expect(`${state} ${type} ${pathOf(actor.getSnapshot())}`).toBe(`${state} ${type} ${legal[state][type] ?? state}`);
      actor.stop();
    }
});

test.each(DEVICE_STEPS)('a failing %s stops the actor under its name, and no later step runs', async (failing) => {
  const ran: string[] = [];
  const steps = recordingSteps(ran);
  steps[failing] = () => Promise.reject(new Error('the queue did not empty'));
  const actor = createActor(deviceLogic(steps));
  const error = await runToEnd(actor, ['bind', 'attach', 'enable-pri', 'disable-pri']);
  expect(error).toMatchObject({ machine: 'device', step: failing });
  expect(String(error)).toContain(`${failing}: the queue did not empty`);
  expect(ran).toEqual(DEVICE_STEPS.slice(0, DEVICE_STEPS.indexOf(failing)));
});

test('a step that nobody provided stops the actor', async () => {
  const error = await runToEnd(createActor(deviceMachine), ['bind', 'attach', 'enable-pri', 'disable-pri']);
  expect(String(error)).toBe('StepError: device.machine: step not provided: replaceDomain');
});
