import { type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import { DEVICE_ATTACH_LOCK, detachDomain, RESPONSE_INVALID } from '@faultline/core/iopf';
import {
  type CounterBank,
  counterBankWords,
  initCounterBank,
  mutexLock,
  mutexUnlock,
  openCounterBank,
} from '@faultline/core/sync';
import { answerOutcome } from '../kit/answers.ts';
import { DELIVER, DeliverQueue } from '../kit/deliver-queue.ts';
import { FaultSystem, MAINLINE, SPLIT } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { refcountLook } from '../kit/racy.ts';
import { guardSlabs } from '../kit/use-after-free.ts';

const DEVICE = 1;
const GRPID = 7;
const REPORTS = 1; // in the bank of running reports
const RUNNING = { name: 'running', words: counterBankWords(REPORTS, 2, 'shared') };
const faults = new FaultSystem({
  paths: {
    'as drawn': MAINLINE,
    'the fence after the clean': MAINLINE,
    'the fence before the detach': MAINLINE,
    'the fence before the clean: mainline': MAINLINE,
    'the fence before the clean: lockless': SPLIT,
    'running reports counted': MAINLINE,
  },
  regions: [DELIVER, RUNNING],
});

class Consumer {
  readonly me: FaultThread;
  readonly #deliver: DeliverQueue;
  readonly #running: CounterBank;
  #handle = 0;

  constructor(context: ThreadContext, reader: boolean) {
    this.#deliver = new DeliverQueue(context, context.self);
    this.#running = openCounterBank(context.words, context.at(RUNNING.name), context.self);
    this.me = faults.open(context, { sink: () => this.#deliver, reader });
  }

  /** The interrupt thread: the group goes to the deliver queue from inside the report. */
  report(counted: boolean): void {
    this.me.idle();
    if (counted) this.#running.add(REPORTS, 1);
    this.me.report({ grpid: GRPID });
    if (counted) this.#running.sub(REPORTS, 1);
    this.me.leave();
  }

  /** T0 as drawn: the array's lock covers the look-up and nothing else. */
  readonly takeHandle = (): void => {
    const { system } = this.me;
    const lock = system.deviceAt(DEVICE) + DEVICE_ATTACH_LOCK;
    mutexLock(system.words, lock, system.self);
    this.#handle = system.attachArray(DEVICE).erase(0);
    mutexUnlock(system.words, lock, system.self);
  };
  /** T1: whatever waits in the deliver queue is answered and freed. */
  readonly clean = (): void => {
    this.#deliver.clean((group) => {
      this.me.path.respondGroup(group, RESPONSE_INVALID);
      this.me.path.freeGroup(group);
    });
  };
  /** T2. */
  readonly disable = (): void => {
    this.me.path.removeDevice(DEVICE);
  };
  /** T3 as drawn. */
  readonly freeHandle = (): void => this.me.system.handleCache.free(this.#handle);

  /** The barrier: no report that may have found the handle is under way. */
  readonly fence = (): void => this.me.system.rcu.synchronize(this.me.system.self);
  readonly drainReports = (): void => {
    this.#running.waitZero(REPORTS, this.me.system.self, Infinity);
  };
  /** What core does: the handle leaves the array, and is freed a grace period later. */
  readonly detach = (): void => {
    detachDomain(this.me.system, DEVICE, 0);
  };
  readonly freeDetached = (): void => this.me.system.deferredHandles.flush(this.me.system.self);
}

/** The detaching thread, T0 to T3. */
const STEPS: Readonly<Record<string, (own: Consumer) => readonly (() => void)[]>> = {
  'as drawn': (own) => [own.takeHandle, own.clean, own.disable, own.freeHandle],
  'the fence after the clean': (own) => [own.takeHandle, own.clean, own.fence, own.disable, own.freeHandle],
  'the fence before the detach': (own) => [own.fence, own.takeHandle, own.clean, own.disable, own.freeHandle],
  'running reports counted': (own) => [own.detach, own.drainReports, own.clean, own.disable, own.freeDetached],
};
const BARRIER = (own: Consumer): readonly (() => void)[] => [
  own.detach,
  own.fence,
  own.clean,
  own.disable,
  own.freeDetached,
];

export const t0t3: Scenario = scenario(import.meta.url, {
  name: '001/t0-t3',
  about: 'The device is detached while a report has its attach handle: which order leaves nobody with a freed handle?',
  seed: '001',
  source: 'seed 001, T0 to T3; core/src/iopf/attach.ts, detachDomain()',
  designs: {
    'as drawn': 'fails',
    'the fence after the clean': 'fails',
    'the fence before the detach': 'fails',
    'the fence before the clean: mainline': 'holds',
    'the fence before the clean: lockless': 'holds',
    'running reports counted': 'holds',
  },
  memory: faults.memory,
  setup(context) {
    initCounterBank(context.words, context.at(RUNNING.name), REPORTS, 2, 'shared');
    faults.setup((first) => {
      first.attach(DEVICE);
    })(context);
  },
  threads: {
    detach: {
      open: (context) => new Consumer(context, false),
      run({ design }, own: Consumer) {
        for (const step of (STEPS[design] ?? BARRIER)(own)) step();
        own.me.path.endBatch();
      },
    },
    isr: {
      open: (context) => new Consumer(context, true),
      run({ design }, own: Consumer) {
        own.report(design === 'running reports counted');
      },
    },
  },
  check(context) {
    const left = DeliverQueue.length(context);
    return left === 0 ? answerOutcome(context, DEVICE, GRPID) : 'a group is left in the deliver queue';
  },
  guard: guardSlabs(faults.at, 'handles'),
  racy: [refcountLook(faults.memory)],
  outcomes: {
    'answered Invalid': 'acceptable',
    'a group is left in the deliver queue': 'forbidden', // nobody will answer it
    'never answered': 'forbidden',
    'answered twice': 'forbidden',
  },
});
