// Schedules a second: the checker's turn goes straight from thread to thread, spinning; beside it, threads that sleep between turns.
import { STRATEGY_DPOR, STRATEGY_RANDOM } from '../../explore/engine/control.layout.ts';
import { Crew } from '../../explore/engine/crew.ts';
import type { Scenario } from '../../explore/scenario.ts';
import { type Figures, figuresOf } from '../figures.ts';
import { mutex, tenOperations, twoOperations } from './scenarios.ts';

export interface CheckerRow extends Figures {
  readonly name: string;
}

interface Case {
  readonly name: string;
  readonly scenario: Scenario;
  readonly strategy: number;
  readonly checked: boolean;
  /** Looks for the turn before sleeping. */
  readonly looks?: number;
}

const CASES: readonly Case[] = [
  {
    name: '2 × 10 operations, random',
    scenario: tenOperations,
    strategy: STRATEGY_RANDOM,
    checked: false,
  },
  {
    name: '2 × 10 operations, partial order',
    scenario: tenOperations,
    strategy: STRATEGY_DPOR,
    checked: false,
  },
  {
    name: '2 × 2 operations, random',
    scenario: twoOperations,
    strategy: STRATEGY_RANDOM,
    checked: false,
  },
  { name: 'mutex, random', scenario: mutex, strategy: STRATEGY_RANDOM, checked: false },
  {
    name: 'mutex, random, plain accesses checked',
    scenario: mutex,
    strategy: STRATEGY_RANDOM,
    checked: true,
  },
  {
    name: '2 × 10 operations, random, asleep between turns',
    scenario: tenOperations,
    strategy: STRATEGY_RANDOM,
    checked: false,
    looks: 0,
  },
];

const STEPS = 100;
const MOST = 2 ** 30;

/** @returns schedules a second, a case a row. */
export async function measureChecker(repeats: number, repeatMs: number): Promise<CheckerRow[]> {
  const rows: CheckerRow[] = [];
  for (const { name, scenario, strategy, checked, looks } of CASES) {
    const crew = await Crew.open(scenario, {
      checked,
      maxSteps: STEPS,
      patches: [],
      ...(looks === undefined ? {} : { looks }),
    });
    const rates: number[] = [];
    try {
      for (let repeat = -1; repeat < repeats; repeat++) {
        const start = performance.now();
        const timer = setTimeout(() => crew.stop(), repeatMs);
        await crew.session({ strategy, limit: MOST, seed: repeat + 2 }); // a search that is exhausted ends earlier
        clearTimeout(timer);
        const seconds = (performance.now() - start) / 1000;
        if (repeat >= 0) rates.push(crew.counts().schedules / seconds); // the first one warms up
      }
    } finally {
      await crew.close();
    }
    rows.push({ name, ...figuresOf(rates) });
  }
  return rows;
}
