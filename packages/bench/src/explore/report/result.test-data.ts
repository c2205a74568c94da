// Made-up results, for tests of what is made of them.
import type { ExploreResult } from '../result.ts';
import { makeFinding } from './finding.test-data.ts';

/** A design that holds, and was exhausted. */
export function makeResult(over: Partial<ExploreResult> = {}): ExploreResult {
  return {
    scenario: 'structures/mutex',
    about: 'Two threads count under the mutex: is any increment lost, does anyone sleep for ever?',
    seed: '',
    source: 'core/src/sync/mutex.ts',
    design: 'as shipped',
    expected: 'holds',
    strategy: 'dpor',
    finding: undefined,
    endedBy: 'exhausted',
    schedules: 1204,
    redundant: 310,
    exhausted: true,
    bound: '',
    steps: 22,
    seconds: 0.3125,
    outcomes: [],
    resume: '',
    ...over,
  };
}

/** A design that fails, as it should. */
export function makeFailing(over: Partial<ExploreResult> = {}): ExploreResult {
  return makeResult({
    seed: '000',
    design: 'unlock notifies nobody',
    expected: 'fails',
    finding: makeFinding(),
    endedBy: 'finding',
    schedules: 17,
    exhausted: false,
    seconds: 0.0421,
    ...over,
  });
}

/** Nothing was found before a bound. */
export function makeCut(over: Partial<ExploreResult> = {}): ExploreResult {
  const bound = { schedules: 200_000, endedBy: 'schedules', bound: '200000 schedules' } as const;
  return makeResult({ ...bound, exhausted: false, seconds: 41.2, resume: 'v1:resume', ...over });
}
