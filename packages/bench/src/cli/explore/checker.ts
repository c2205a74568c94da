// The checker as the command line sees it: a replay and a refusal are results as well.

import { ScenarioError } from '../../explore/engine/placement.ts';
import { type ExploreOptions, exploreScenario, type Replayed, replay } from '../../explore/explore.ts';
import type { ExploreResult, Finding } from '../../explore/result.ts';
import { decodeResume } from '../../explore/resume.ts';
import { designsOf, type Scenario } from '../../explore/scenario.ts';
import { UsageError } from '../request.ts';
import type { ExploreEngine, ExploreRequest } from './types.ts';

export const checker: ExploreEngine = {
  /** A scenario that cannot be explored is a finding of kind `refused`.
   * @throws UsageError for a resume token that is damaged, or of something else. */
  async explore(scenario: Scenario, request: ExploreRequest): Promise<ExploreResult> {
    const { design, replay: token, resume } = request;
    if (resume !== undefined) checkResume(resume, scenario, design);
    const start = performance.now();
    const seconds = (): number => (performance.now() - start) / 1000;
    try {
      if (token === undefined) return await exploreScenario(scenario, optionsOf(request));
      const { checked, bounds } = request;
      return replayResult(
        scenario,
        design,
        await replay(scenario, token, { checked, ...(bounds ? { bounds } : {}) }),
        seconds(),
      );
    } catch (error) {
      if (!(error instanceof ScenarioError)) throw error;
      return refusedResult(scenario, design, error.message, seconds());
    }
  },
};

function optionsOf({
  design,
  strategy,
  bounds,
  twice,
  checked,
  resume,
  signal,
  onProgress,
}: ExploreRequest): ExploreOptions {
  return {
    ...{ design, twice, checked, signal },
    ...(strategy ? { strategy } : {}),
    ...(bounds ? { bounds } : {}),
    ...(resume === undefined ? {} : { resume }),
    onProgress: ({ schedules, seconds }) => onProgress(schedules, seconds),
  };
}

function checkResume(resume: string, { spec }: Scenario, design: string): void {
  try {
    decodeResume(resume, spec.name, design);
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    throw new UsageError(`--resume: ${error.message.replace(/^resume: /, '')}`, { cause: error });
  }
}

/** What a schedule that was run once came to. */
export function replayResult(scenario: Scenario, design: string, replayed: Replayed, seconds: number): ExploreResult {
  const { finding, divergedAt, same } = replayed;
  const changed =
    divergedAt >= 0
      ? `; the code has changed since: it follows the schedule up to step ${divergedAt} only`
      : same
        ? ''
        : '; the code has changed since: its operations are others';
  return {
    ...common(scenario, design, finding, seconds),
    strategy: `replay${changed}`,
    endedBy: finding ? 'finding' : 'schedules',
    schedules: 1,
    bound: finding ? '' : 'replay',
    steps: finding?.steps.length ?? 0,
  };
}

export function refusedResult(scenario: Scenario, design: string, message: string, seconds: number): ExploreResult {
  const finding: Finding = {
    ...{ scenario: scenario.spec.name, design, kind: 'refused', message, threads: Object.keys(scenario.spec.threads) },
    ...{ steps: [], switches: 0, foundSwitches: 0, stuck: [], token: '', schedule: [] },
  };
  return {
    ...common(scenario, design, finding, seconds),
    strategy: 'none',
    endedBy: 'finding',
    schedules: 0,
    bound: '',
    steps: 0,
  };
}

type Common = Omit<ExploreResult, 'strategy' | 'endedBy' | 'schedules' | 'bound' | 'steps'>;

function common({ spec }: Scenario, design: string, finding: Finding | undefined, seconds: number): Common {
  const { name, about, seed = '', source } = spec;
  const expected = designsOf(spec)[design];
  return {
    ...{ scenario: name, about, seed, source, design, expected, finding, seconds },
    ...{ redundant: 0, exhausted: false, outcomes: [], resume: '' },
  };
}
