import { expect, test } from 'vitest';
import { createActor, waitFor } from 'xstate';
import { DOMAIN_STEPS, type DomainStep, domainLogic, domainMachine } from './domain.machine.ts';
import { pathOf, recordPath, runToEnd } from './machine-paths.test-help.ts';
import type { Step } from './step.ts';

function recordingSteps(ran: string[]): Record<DomainStep, Step> {
  const steps = {} as Record<DomainStep, Step>;
  for (const name of DOMAIN_STEPS) steps[name] = async () => void ran.push(name);
  return steps;
}

test('goes its whole way, and is freed only after it has drained', async () => {
  const ran: string[] = [];
  const actor = createActor(domainLogic(recordingSteps(ran)));
  const path = recordPath(actor);
  actor.send({ type: 'attach' });
  actor.send({ type: 'replace' });
  await waitFor(actor, (snapshot) => pathOf(snapshot) === 'attached', { timeout: 1000 });
  actor.send({ type: 'detach' });
  await waitFor(actor, (snapshot) => pathOf(snapshot) === 'freed', { timeout: 1000 });
  expect(path).toEqual([
    'allocated',
    'attached',
    'replacing.light-flush',
    'attached',
    'detaching',
    'draining',
    'freed',
  ]);
  expect(ran).toEqual(['lightFlush', 'detachAll', 'drainPending']);
  expect(actor.getSnapshot().status).toBe('done');
});

test('a detach that comes during the light flush waits for its end', async () => {
  let flushed = (): void => {};
  const ran: string[] = [];
  const steps = recordingSteps(ran);
  steps.lightFlush = () => new Promise((resolve) => (flushed = resolve));
  const actor = createActor(domainLogic(steps));
  const path = recordPath(actor);
  for (const type of ['attach', 'replace', 'detach'] as const) actor.send({ type });
  expect(pathOf(actor.getSnapshot())).toBe('replacing.light-flush');
  flushed();
  await waitFor(actor, (snapshot) => pathOf(snapshot) === 'freed', { timeout: 1000 });
  expect(path).toEqual(['allocated', 'attached', 'replacing.light-flush', 'detaching', 'draining', 'freed']);
});

test('ignores what a state does not take', () => {
  const steps = { detachAll: () => new Promise<void>(() => {}) };
  const actor = createActor(domainLogic(steps)).start();
  const sendAll = (...types: ('attach' | 'replace' | 'detach')[]): string => {
    for (const type of types) actor.send({ type });
    return pathOf(actor.getSnapshot());
  };
  expect(sendAll('replace', 'detach')).toBe('allocated');
  expect(sendAll('attach', 'attach')).toBe('attached');
  expect(sendAll('detach', 'attach', 'replace', 'detach')).toBe('detaching');
});

test.each(DOMAIN_STEPS)('a failing %s stops the actor under its name', async (failing) => {
  const steps = recordingSteps([]);
  steps[failing] = () => Promise.reject(new Error('still pending'));
  const events = failing === 'lightFlush' ? ['attach', 'replace'] : ['attach', 'detach'];
  expect(await runToEnd(createActor(domainLogic(steps)), events)).toMatchObject({ machine: 'domain', step: failing });
});

test('a step that nobody provided stops the actor', async () => {
  const error = await runToEnd(createActor(domainMachine), ['attach', 'detach']);
  expect(String(error)).toContain('step not provided: detachAll');
});
