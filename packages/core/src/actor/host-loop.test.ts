import { afterEach, expect, test } from 'vitest';
import { Arena, planArena } from '../memory/index.ts';
import { Rcu, RcuThread } from '../sync/index.ts';
import { actorRegions, initActorRegions, mailboxRegion, RCU_REGION } from './actor-regions.ts';
import { HostLoop } from './host-loop.ts';
import { type Deliver, MailboxReceiver, MailboxSender, mailboxDoorbell } from './mailbox.ts';
import { PumpSet } from './pumps.ts';
import { until } from './testing/system.test-help.ts';

interface Host {
  loop: HostLoop;
  sender: MailboxSender;
  pumps: PumpSet;
  rcu: RcuThread;
  grace: Rcu;
}

const running: Host[] = [];
afterEach(() => {
  for (const { loop, sender } of running.splice(0)) {
    loop.stop();
    sender.send(1, 1, 0, 0, 0, 0, 0);
  }
});

/** A host on this very thread: its loop leaves the event loop to the test. */
function host(deliver: Deliver, spins = 0): Host {
  const arena = Arena.create(planArena(actorRegions(1, 16)));
  initActorRegions(arena, 1, 16);
  const base = arena.base(mailboxRegion(1));
  const doorbell = mailboxDoorbell(arena.words, base);
  const pumps = new PumpSet(() => doorbell.ring());
  const rcu = new RcuThread(arena.words, arena.base(RCU_REGION), { id: 1, spins });
  const mailbox = new MailboxReceiver(arena.words, base);
  const made = {
    loop: new HostLoop({ mailbox, doorbell, rcu, pumps, spins, deliver }),
    sender: new MailboxSender(arena.words, base),
    pumps,
    rcu,
    grace: new Rcu(arena.words, arena.base(RCU_REGION)),
  };
  running.push(made);
  return made;
}

test('sleeps offline, wakes for an event, is online while it delivers', async () => {
  const online: boolean[] = [];
  const { loop, sender, rcu } = host(() => online.push(rcu.isOnline()));
  const ended = loop.run();
  for (let i = 1; i <= 3; i++) {
    await until(() => !rcu.isOnline());
    sender.send(1, 1, 0, 0, 0, 0, 0);
    await until(() => online.length === i);
  }
  loop.stop();
  sender.send(1, 1, 0, 0, 0, 0, 0);
  expect(await ended).toMatchObject({ events: 4, sleeps: expect.any(Number) });
  expect(online).toEqual([true, true, true, true]);
  expect(loop.counts.sleeps).toBeGreaterThanOrEqual(3);
  expect(rcu.isOnline()).toBe(false);
});

test.each([0, 1000])(
  'a busy pump leaves room for timers, promises, grace periods and events (spins %i)',
  async (spins) => {
    let events = 0;
    const { loop, sender, pumps, grace } = host(() => events++, spins);
    let moved = 0;
    const run = (budget: number): number => {
      moved += budget;
      return budget;
    };
    pumps.add({ name: 'busy', run, hasWork: () => true });
    pumps.on('busy');
    const ended = loop.run();
    await new Promise((resolve) => setTimeout(resolve, 0));
    sender.send(1, 1, 0, 0, 0, 0, 0);
    await until(() => events === 1);
    await grace.synchronizeAsync();
    pumps.off('busy');
    const after = moved;
    loop.stop();
    sender.send(1, 1, 0, 0, 0, 0, 0);
    await ended;
    expect(moved).toBe(after);
    expect(loop.counts.pumped).toBe(moved);
  },
);

test('a pump switched on by a timer rouses a host that sleeps', async () => {
  const { loop, sender, pumps, rcu } = host(() => {});
  let left = 3;
  const run = (): number => {
    if (left > 0) left--;
    return left;
  };
  pumps.add({ name: 'late', run, hasWork: () => left > 0 });
  const ended = loop.run();
  await until(() => !rcu.isOnline());
  pumps.on('late');
  await until(() => left === 0);
  loop.stop();
  sender.send(1, 1, 0, 0, 0, 0, 0);
  await ended;
});

test('stopping takes the events that are there and lets pumps run empty', async () => {
  const seen: number[] = [];
  const { loop, sender, pumps } = host((actor) => {
    seen.push(actor);
    if (actor === 0) loop.stop();
  });
  let left = 1000;
  const run = (budget: number): number => {
    const moved = Math.min(budget, left);
    left -= moved;
    return moved;
  };
  pumps.add({ name: 'rest', run, hasWork: () => left > 0 });
  pumps.on('rest');
  for (const actor of [1, 0, 2, 3]) sender.send(actor, 1, 0, 0, 0, 0, 0);
  await loop.run();
  expect(seen).toEqual([1, 0, 2, 3]);
  expect(left).toBe(0);
  expect(loop.stopping).toBe(true);
});

test('a pump that throws ends the loop, offline', async () => {
  const { loop, pumps, rcu } = host(() => {});
  pumps.add({
    name: 'broken',
    run: () => {
      throw new Error('broken');
    },
    hasWork: () => true,
  });
  pumps.on('broken');
  await expect(loop.run()).rejects.toThrow('broken');
  expect(rcu.isOnline()).toBe(false);
});
