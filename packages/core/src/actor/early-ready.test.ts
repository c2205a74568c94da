import { EventEmitter } from 'eventemitter3';
import { expect, test } from 'vitest';
import { mailboxRegion } from './actor-regions.ts';
import { EVENT_READY } from './event-codes.ts';
import type { HostPool } from './host-pool.ts';
import type { HostTask } from './host-task.ts';
import { MailboxSender } from './mailbox.ts';
import { echoHost, startEcho, testArena } from './testing/system.test-help.ts';

test('hosts that are ready before the system asks are not waited for', async () => {
  const arena = testArena(2, 64);
  const toMain = new MailboxSender(arena.words, arena.base(mailboxRegion(0)));
  // A pool whose hosts have done their setup by the time that run returns, and then sit there until they are ended.
  const pool = Object.assign(new EventEmitter(), {
    run: (task: HostTask, { signal }: { readonly signal: AbortSignal }) => {
      toMain.send(0, EVENT_READY, task.host, 0, 0, 0, 0);
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('ended'))));
    },
  });
  const system = await startEcho(arena, [echoHost('left', 1), echoHost('right', 2)], {
    pool: pool as unknown as HostPool,
    stopTimeoutMs: 1,
  });
  const reports = await system.stop();
  expect(reports.map(({ name }) => name)).toEqual(['left', 'right']);
});
