// From 6.11 to 6.13 a report queued its group under the mutex that a reader of the fault queue held while it copied to user
// memory. The copy may fault itself; the page may be one that only another device's or another client's fault brings in, and
// those come through the event thread that waits for the reader.
import type { Scenario } from '@faultline/bench/explore';
import { initSpmc, SpmcConsumer, SpmcProducer, spmcWords } from '@faultline/core/ring';
import { complete, mutexLock, mutexUnlock, waitForCompletion } from '@faultline/core/sync';
import { FaultSystem } from '../kit/fault-system.ts';
import { exhibit } from './exhibit.ts';
import { GROUP } from './iopf.ts';
import { type Kernel, List } from './kernel.ts';

/** PAGE_IN: a completion, the page that the reader's copy needs. */
const SHARED = { MUTEX: 0, LOCK: 1, DELIVER: 2, PAGE_IN: 3, PAGE_IN_WAITERS: 4, SECOND: 5 };

function locked<T>({ words, self }: Kernel, at: number, body: () => T): T {
  mutexLock(words, at, self);
  const result = body();
  mutexUnlock(words, at, self);
  return result;
}

function expectDelivered(groups: number): void {
  if (groups !== 1) throw new Error(`${groups} groups wait for the next read, not 1`);
}

export const reportWaitsForReader: Scenario = exhibit(import.meta.url, {
  name: 'report-waits-for-reader',
  about: 'A reader waits for a page while it copies a fault to user memory: do reports go on?',
  fix: {
    commit: '3d49020a327c',
    title: 'iommufd/fault: Use a separate spinlock to protect fault->deliver list',
    shipped: '6.11 to 6.13',
    fixed: '6.14',
  },
  releases: ['6.13', '6.14'],
  copy: {
    shared: SHARED,
    objects: { first: GROUP, second: GROUP },
    setup(kernel) {
      new List(kernel, GROUP.NODE).append(kernel.shared(SHARED.DELIVER), kernel.alloc());
      kernel.words[kernel.shared(SHARED.SECOND)] = kernel.alloc();
    },
    threads: {
      event(kernel, faulty) {
        const { words } = kernel;
        const deliver = new List(kernel, GROUP.NODE);
        locked(kernel, kernel.shared(faulty ? SHARED.MUTEX : SHARED.LOCK), () =>
          deliver.append(kernel.shared(SHARED.DELIVER), words[kernel.shared(SHARED.SECOND)]),
        );
        complete(words, kernel.shared(SHARED.PAGE_IN)); // the next fault of the queue, and what its handler does
      },
      reader(kernel, faulty) {
        const deliver = new List(kernel, GROUP.NODE);
        const fetch = (): number => deliver.shift(kernel.shared(SHARED.DELIVER));
        locked(kernel, kernel.shared(SHARED.MUTEX), () => {
          if (faulty) fetch();
          else locked(kernel, kernel.shared(SHARED.LOCK), fetch);
          waitForCompletion(kernel.words, kernel.shared(SHARED.PAGE_IN), kernel.self, Number.POSITIVE_INFINITY);
        });
      },
    },
    check({ words, at }) {
      expectDelivered(words[at('shared') + SHARED.DELIVER] === 0 ? 0 : 1);
    },
  },
  // Groups go to a reader through a ring, which nobody locks.
  ours: {
    system: new FaultSystem({
      regions: [
        { name: 'deliver', words: spmcWords(2) },
        { name: 'page_in', words: 2 },
      ],
    }),
    setup({ system }) {
      const at = system.arena.base('deliver');
      initSpmc(system.words, at, 2);
      const first = new SpmcProducer(system.words, at);
      first.push(1);
      first.publish();
    },
    threads: {
      event({ system }, { words, at }) {
        const ring = new SpmcProducer(system.words, at('deliver'));
        ring.push(2);
        ring.publish();
        complete(words, at('page_in'));
      },
      reader({ system }, { words, at }) {
        new SpmcConsumer(system.words, at('deliver')).take(new Int32Array(1), 1);
        waitForCompletion(words, at('page_in'), system.self, Number.POSITIVE_INFINITY);
      },
    },
    check({ words, at }) {
      expectDelivered(new SpmcConsumer(words, at('deliver')).size());
    },
  },
});
