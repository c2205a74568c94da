// A checker that knows its answers, and three scenarios for it to be asked about.

import { makeFinding } from '../../explore/report/finding.test-data.ts';
import { makeFailing, makeResult } from '../../explore/report/result.test-data.ts';
import type { ExploreResult } from '../../explore/result.ts';
import { designsOf, type Expectation, type Scenario, type Strategy } from '../../explore/scenario.ts';
import type { ExploreEngine, ExploreRequest, Found } from './types.ts';

export function makeScenario(name: string, designs?: Record<string, Expectation>, strategy?: Strategy): Found {
  const file = `/lab/scenarios/${name}.ts`;
  const spec: Scenario['spec'] = {
    ...{ name, about: `What is asked of ${name}?`, seed: name.slice(0, 3), source: 'core/src/sync/mutex.ts' },
    ...{ memory: [], threads: {}, ...(designs ? { designs } : {}), ...(strategy ? { strategy } : {}) },
  };
  return { scenario: { url: `file://${file}`, spec }, file, exportName: 'window' };
}

export const SCENARIOS: readonly Found[] = [
  makeScenario('000/domain-free', { 'no count': 'fails', counted: 'holds' }),
  makeScenario('001/t0-t3', { 'as drawn': 'fails' }, { kind: 'random', seed: 7 }),
  makeScenario('structures/mutex'),
  makeScenario('structures/mutex-handover'),
];

export interface FakeExplorer extends ExploreEngine {
  readonly asked: { readonly scenario: string; readonly request: ExploreRequest }[];
}

export interface FakeAnswers {
  /** Changes what is expected to be found. */
  readonly spoil?: (result: ExploreResult) => ExploreResult;
  /** Explorations to end before waiting for the signal. */
  readonly waitAfter?: number;
  /** Ignore the signal, as an engine does whose thread hangs. */
  readonly deaf?: boolean;
}

/** Finds what is expected of each design, unless it is told otherwise. */
export function fakeExplorer({ spoil = (result) => result, waitAfter, deaf = false }: FakeAnswers = {}): FakeExplorer {
  const asked: { scenario: string; request: ExploreRequest }[] = [];
  return {
    asked,
    async explore({ spec }: Scenario, request: ExploreRequest): Promise<ExploreResult> {
      asked.push({ scenario: spec.name, request });
      const { design, signal } = request;
      const about = { scenario: spec.name, about: spec.about, seed: spec.seed ?? '', design };
      request.onProgress(5000, 1.5);
      if (asked.length - 1 === waitAfter) {
        await new Promise((resolve) => !deaf && signal.addEventListener('abort', resolve));
        const interrupted = { endedBy: 'interrupted', exhausted: false, schedules: 5000, resume: 'r1:5000' } as const;
        return makeResult({ ...about, expected: designsOf(spec)[design], ...interrupted });
      }
      if (designsOf(spec)[design] === 'holds') return spoil(makeResult(about));
      return spoil(makeFailing({ ...about, finding: makeFinding({ scenario: spec.name, design }) }));
    },
  };
}
