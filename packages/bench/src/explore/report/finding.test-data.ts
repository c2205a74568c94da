// Made-up findings: what the engine would hand over, written by hand.
import type { Finding, Step, StepKind, SwitchReason } from '../result.ts';

type Line = [thread: number, kind: StepKind, object: string, effect: string, why?: SwitchReason, ...stack: string[]];

export function makeSteps(lines: readonly Line[]): Step[] {
  return lines.map(([thread, kind, object, effect, why = '', ...stack], index) => {
    return { index, thread, kind, object, effect, why, stack };
  });
}

/** A mutex whose unlock does not look whether anybody sleeps. */
export function makeFinding(over: Partial<Finding> = {}): Finding {
  return {
    scenario: 'structures/mutex',
    design: 'unlock notifies nobody',
    kind: 'lost wake-up',
    message: 'bob sleeps for ever on mutex.word, which alice has changed since',
    threads: ['alice', 'bob'],
    steps: makeSteps([
      [
        0,
        'compareExchange',
        'mutex.word',
        '0 → 1',
        'start',
        'sync/mutex.ts:25 mutexLock',
        'scenarios/structures/mutex.ts:19 Object.run',
      ],
      [1, 'compareExchange', 'mutex.word', '= 1, expected 0: fails', 'preempted', 'sync/mutex.ts:25'],
      [1, 'exchange', 'mutex.word', '1 → 2', '', 'sync/mutex.ts:31', 'scenarios/structures/mutex.ts:19'],
      [1, 'wait', 'mutex.word', '= 2: asleep', '', 'sync/park.ts:12', 'sync/mutex.ts:33'],
      [0, 'load', 'counter', '= 0', 'asleep', 'scenarios/structures/mutex.ts:20'],
      [0, 'store', 'counter', '0 → 1', '', 'scenarios/structures/mutex.ts:20'],
      [0, 'exchange', 'mutex.word', '2 → 0', '', 'sync/mutex.ts:47', 'scenarios/structures/mutex.ts:21'],
      [0, 'end', '', '', '', 'scenarios/structures/mutex.ts:22'],
    ]),
    switches: 2,
    foundSwitches: 7,
    stuck: [{ thread: 'bob', where: 'asleep on mutex.word', stack: ['sync/park.ts:12', 'sync/mutex.ts:33'] }],
    token: 'v1:structures/mutex@unlock+notifies+nobody:ab3a4:9f3c21:0000',
    schedule: [
      [0, 1],
      [1, 3],
      [0, 4],
    ],
    ...over,
  };
}

/** Two threads fill the same word, with nothing between them. */
export function makeRace(): Finding {
  return makeFinding({
    scenario: 'structures/spsc',
    design: 'as shipped',
    kind: 'data race',
    message: 'ring.SLOT0 is written by prod and read by cons, with nothing between them',
    threads: ['prod', 'cons'],
    steps: makeSteps([
      [0, 'store', 'ring.PROD', '0 → 1', 'start', 'ring/spsc.ts:40'],
      [1, 'load', 'ring.PROD', '= 1', 'preempted', 'ring/spsc.ts:71'],
    ]),
    switches: 1,
    foundSwitches: 1,
    race: [
      { thread: 'prod', what: 'write ring.SLOT0', stack: ['ring/spsc.ts:41', 'scenarios/structures/spsc.ts:12'] },
      { thread: 'cons', what: 'read ring.SLOT0', stack: ['ring/spsc.ts:74'] },
    ],
    stuck: [],
  });
}

/** A thread that waits for a word by looking, and never lets go. */
export function makeLivelock(times: number): Finding {
  const turn: Line[] = [
    [0, 'load', 'rcu.gp', '= 1', 'spinning', 'sync/rcu.ts:60'],
    [1, 'load', 'rcu.reader', '= 3', 'spinning', 'sync/rcu.ts:88'],
    [1, 'load', 'rcu.gp', '= 1', '', 'sync/rcu.ts:89'],
  ];
  return makeFinding({
    kind: 'livelock',
    message: 'no thread has got further in 2,000 steps',
    steps: makeSteps([
      [0, 'store', 'rcu.gp', '0 → 1', 'start', 'sync/rcu.ts:58'],
      ...Array.from({ length: times }, () => turn).flat(),
    ]),
    stuck: [],
  });
}

/** Three threads, long names, a long check message, nothing that breaks within the schedule. */
export function makeThree(): Finding {
  const report = 'core/src/iopf/report-device-fault.ts';
  return makeFinding({
    scenario: '000/replace-with-the-light-flush',
    design: 'flush before the new handle is seen',
    kind: 'check',
    message: 'the domain was freed with 1 group pending: its books do not balance',
    threads: ['reporter', 'replacer', 'handler'],
    steps: makeSteps([
      [0, 'load', 'device[0].ATTACH_HANDLE', '= 4096', 'start', `${report}:112`, `${report}:80`],
      [0, 'compareExchange', 'domain[0].PENDING_COUNT', '0 → 1', '', `${report}:118`],
      [1, 'exchange', 'device[0].ATTACH_HANDLE', '4096 → 4128', 'preempted', 'core/src/iopf/attach-handle.ts:90'],
      [1, 'load', 'queue.PROD', '= 0', '', 'core/src/iopf/work-queue.ts:140'],
      [1, 'waitAsync', 'queue.FLUSHED', '= 0: asleep, for ever', '', 'core/src/iopf/work-queue.ts:144'],
      [0, 'store', 'groups[12].STATE', '3 → 4', 'asleep', `${report}:131`],
      [0, 'notify', 'queue.PROD', 'woke 1', '', `${report}:133`],
      [0, 'end', '', '', '', `${report}:140`],
      [2, 'wake', 'queue.PROD', 'ok', 'woken', 'core/src/sync/park.ts:12'],
      [2, 'load', 'groups[12].STATE', '= 4', '', 'core/src/iopf/respond.ts:33'],
      [2, 'compareExchange', 'groups[12].STATE', '4 → 5', '', 'core/src/iopf/respond.ts:35'],
      [2, 'notify', 'queue.FLUSHED', 'woke 1', '', 'core/src/iopf/respond.ts:51'],
      [2, 'end', '', '', '', 'core/src/iopf/respond.ts:60'],
      [1, 'wake', 'queue.FLUSHED', 'ok', 'ended', 'core/src/iopf/work-queue.ts:144'],
      [1, 'write', 'domain[0].PENDING_COUNT', '1 → 0', '', 'core/src/iopf/domain.ts:77'],
      [1, 'end', '', '', '', 'core/src/iopf/domain.ts:80'],
    ]),
    switches: 4,
    foundSwitches: 12,
    stuck: [],
  });
}
