// Explores one design of a scenario: from the threads' start to a result with its finding.
import {
  FAIL_NONDETERMINISM,
  FAIL_NONE,
  FAIL_OUTCOME,
  FAIR_STEPS,
  STRATEGY_BOUNDED,
  STRATEGY_DPOR,
  STRATEGY_PCT,
  STRATEGY_RANDOM,
  STRATEGY_REPLAY,
} from './engine/control.layout.ts';
import { Crew } from './engine/crew.ts';
import { describe } from './engine/describe.ts';
import type { Patch } from './engine/hooks.ts';
import { choicesOf, minimise, runsOf } from './engine/minimise.ts';
import { ScenarioError } from './engine/placement.ts';
import type { Counts, SessionEnd } from './engine/session.ts';
import { decodeToken, encodeToken } from './report/token.ts';
import type { EndedBy, ExploreResult, Finding } from './result.ts';
import { decodeResume, encodeResume, type Resume } from './resume.ts';
import { type Bounds, designsOf, type Scenario, type Strategy } from './scenario.ts';

export interface ExploreOptions {
  /** Which design; the first if left out. */
  readonly design?: string;
  /** Default: the scenario's own, else `dpor`. */
  readonly strategy?: Strategy;
  readonly bounds?: Bounds;
  /** Instrument plain accesses: races and uses after free are found. Default true. */
  readonly checked?: boolean;
  /** Run every schedule twice, not just the first thousand. */
  readonly twice?: boolean;
  /** Changes to modules under test, for sensitivity. */
  readonly patches?: readonly Patch[];
  /** What an interrupted or bounded exploration printed. */
  readonly resume?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly schedules: number;
  readonly redundant: number;
  /** Steps of the longest schedule so far. */
  readonly steps: number;
  readonly seconds: number;
}

/** What came of a replay. */
export interface Replayed {
  readonly finding: Finding | undefined;
  /** The step (from 0) at which the schedule did not fit what the threads do, -1 if it fitted: the code has changed. */
  readonly divergedAt: number;
  /** The operations are those that the token was made of. */
  readonly same: boolean;
}

const DEFAULT_BOUNDS = { schedules: 200_000, seconds: 60, steps: 2_000 } as const;
const TWICE_AT_FIRST = 1_000;
const PROGRESS_MS = 100;
/** Counters are words of 32 bits. */
const MOST_SCHEDULES = 2 ** 31 - 1;
const MOST_STEPS = 2 ** 20;

/** @throws ScenarioError when the scenario cannot be explored: it never ends, throws outside its threads, uses timers or chance,
 * or memory that it did not declare. */
export async function exploreScenario(scenario: Scenario, options: ExploreOptions = {}): Promise<ExploreResult> {
  const { spec } = scenario;
  const design = designOf(scenario, options.design);
  const bounds = { ...DEFAULT_BOUNDS, ...spec.bounds, ...options.bounds };
  checkBounds(spec.name, bounds);
  const resumed = options.resume === undefined ? undefined : decodeResume(options.resume, spec.name, design);
  if (resumed !== undefined) checkResumed(resumed, options);
  const strategy = resumed?.strategy ?? options.strategy ?? spec.strategy ?? { kind: 'dpor' };
  const code = codeOf(strategy);
  const before = resumed?.seconds ?? 0;
  const checked = resumed?.checked ?? options.checked ?? true;
  const steps = resumed?.steps ?? bounds.steps;
  const crew = await Crew.open(scenario, {
    design,
    checked,
    maxSteps: steps,
    patches: options.patches ?? [],
    ...(resumed === undefined ? {} : { spins: resumed.spins }),
  });
  const start = performance.now();
  const secondsSoFar = (): number => before + (performance.now() - start) / 1000;
  let endedBy: EndedBy | undefined;
  const stopFor = (why: EndedBy): void => {
    endedBy ??= why;
    crew.stop();
  };
  const onAbort = (): void => stopFor('interrupted');
  const ticker = setInterval(() => {
    const { schedules, redundant, longest } = crew.counts();
    options.onProgress?.({ schedules, redundant, steps: longest, seconds: secondsSoFar() });
    if (secondsSoFar() - before >= bounds.seconds) stopFor('seconds');
  }, PROGRESS_MS);
  try {
    if (resumed !== undefined) {
      if (resumed.code !== crew.digest)
        throw new ScenarioError(
          'resume: the code has changed since: what was explored is no longer what there is; start anew',
        );
      crew.restoreSearch(resumed.search, resumed.counts);
    }
    const session = crew.session({
      ...code,
      limit: Math.min((resumed?.counts.schedules ?? 0) + bounds.schedules, MOST_SCHEDULES),
      continues: resumed !== undefined,
      twice: options.twice === true ? 2 ** 30 : TWICE_AT_FIRST,
    });
    options.signal?.addEventListener('abort', onAbort);
    if (options.signal?.aborted === true) onAbort();
    const end = await session;
    const counts = crew.counts();
    const seconds = secondsSoFar();
    const search = crew.saveSearch();
    const enough = (): boolean => endedBy === 'interrupted';
    const finding =
      end.failure === FAIL_NONE ? undefined : await toFinding(crew, scenario, design, end, search.index, enough);
    const by: EndedBy = finding !== undefined ? 'finding' : end.exhausted ? 'exhausted' : (endedBy ?? 'schedules');
    const blind = !checked && ((spec.racy ?? []).length > 0 || spec.guard !== undefined);
    const exhausted =
      by === 'exhausted' && strategy.kind === 'dpor' && counts.cut === 0 && counts.releases === 0 && !blind;
    return {
      scenario: spec.name,
      about: spec.about,
      seed: spec.seed ?? '',
      source: spec.source,
      design,
      expected: designsOf(spec)[design],
      strategy: describeStrategy(strategy),
      finding,
      endedBy: by,
      schedules: counts.schedules,
      redundant: counts.redundant,
      exhausted,
      bound:
        exhausted || finding !== undefined ? '' : describeBound(by, strategy, { ...bounds, steps }, counts, seconds),
      steps: counts.longest,
      seconds,
      outcomes: Object.entries(spec.outcomes ?? {}).map(([name, grade], i) => ({
        name,
        grade,
        count: counts.outcomes[i],
      })),
      resume:
        by === 'exhausted' || by === 'finding'
          ? ''
          : encodeResume({
              name: spec.name,
              design,
              strategy,
              seconds,
              checked,
              steps,
              spins: crew.spins,
              code: crew.digest,
              search,
              counts,
            }),
    };
  } finally {
    clearInterval(ticker);
    options.signal?.removeEventListener('abort', onAbort);
    await crew.close();
  }
}

/** Runs the schedule of a token, and says what breaks: for a look at a finding, and for tests that it stays mended.
 * @throws ScenarioError when the token is of something else, or the scenario cannot be explored; the signal's reason when it aborts:
 * half a replay says nothing. */
export async function replay(
  scenario: Scenario,
  token: string,
  options: Pick<ExploreOptions, 'bounds' | 'checked' | 'patches' | 'signal'> = {},
): Promise<Replayed> {
  const { scenario: name, design, schedule, digest } = decodeToken(token);
  if (name !== scenario.spec.name) throw new ScenarioError(`the token is of '${name}', not of '${scenario.spec.name}'`);
  designOf(scenario, design);
  const bounds = { ...DEFAULT_BOUNDS, ...scenario.spec.bounds, ...options.bounds };
  checkBounds(name, bounds);
  const length = schedule.reduce((sum, [, steps]) => sum + steps, 0);
  if (length > bounds.steps + FAIR_STEPS)
    throw new ScenarioError(
      `${name}: the token is of ${length} steps, and a schedule has at most ${bounds.steps + FAIR_STEPS}`,
    );
  const choices = choicesOf(schedule);
  const { signal } = options;
  signal?.throwIfAborted();
  const crew = await Crew.open(scenario, {
    design,
    checked: options.checked ?? true,
    maxSteps: bounds.steps,
    patches: options.patches ?? [],
  });
  const run = async (): Promise<Replayed> => {
    const end = await crew.session({ strategy: STRATEGY_REPLAY, limit: 1, choices });
    const finding =
      end.failure === FAIL_NONE ? undefined : await recorded(crew, scenario, design, end.choices, 0, choices);
    return { finding, divergedAt: end.diverged, same: end.hash >>> 0 === digest };
  };
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal?.reason);
  try {
    signal?.throwIfAborted();
    signal?.addEventListener('abort', onAbort);
    return await Promise.race([run(), aborted.promise]);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await crew.close();
  }
}

function checkBounds(name: string, { schedules, seconds, steps }: Required<Bounds>): void {
  const refuse = (field: string, value: number, must: string): never => {
    throw new ScenarioError(`${name}: bounds.${field} must be ${must}, got ${value}`);
  };
  if (!(schedules >= 1)) refuse('schedules', schedules, 'at least 1');
  if (!(seconds > 0)) refuse('seconds', seconds, 'more than 0');
  if (!Number.isInteger(steps) || steps < 1 || steps > MOST_STEPS)
    refuse('steps', steps, `a whole number from 1 to ${MOST_STEPS}`);
}

/** What a search was begun with it goes on with. */
function checkResumed({ checked, steps }: Resume, options: ExploreOptions): void {
  const differs = (what: string, was: unknown): never => {
    throw new ScenarioError(`resume: the exploration was begun with ${what} ${String(was)}: go on with the same`);
  };
  if (options.checked !== undefined && options.checked !== checked) differs('checked', checked);
  if (options.bounds?.steps !== undefined && options.bounds.steps !== steps) differs('bounds.steps', steps);
}

/** @throws ScenarioError unless the scenario has the design. */
function designOf(scenario: Scenario, design: string | undefined): string {
  const names = Object.keys(designsOf(scenario.spec));
  if (design === undefined) return names[0];
  if (names.includes(design)) return design;
  throw new ScenarioError(
    `${scenario.spec.name} has no design '${design}': ${names.map((name) => `'${name}'`).join(', ')}`,
  );
}

/** Finds the shortest schedule that breaks the same, and runs it for the record. */
async function toFinding(
  crew: Crew,
  scenario: Scenario,
  design: string,
  end: SessionEnd,
  index: number,
  enough: () => boolean,
): Promise<Finding> {
  if (end.failure === FAIL_NONDETERMINISM)
    return recorded(crew, scenario, design, end.choices, index, end.choices, FAIL_NONDETERMINISM);
  const wanted = fingerprint(end);
  const shortest = await minimise(
    end.choices,
    async (choices) => {
      const again = await crew.session({ strategy: STRATEGY_REPLAY, limit: 1, choices, index });
      return again.failure === end.failure && fingerprint(again) === wanted ? again.choices : undefined;
    },
    enough,
  );
  return recorded(crew, scenario, design, shortest, index, end.choices, end.failure);
}

/** What broke, numbers aside: they may differ from schedule to schedule. */
function fingerprint(end: SessionEnd): string {
  const message = end.problem?.message ?? '';
  const told = end.failure === FAIL_OUTCOME ? message : message.replace(/\d+/g, '#');
  return `${told} ${end.problem?.race?.loc ?? ''} ${end.stuckOn}`;
}

async function recorded(
  crew: Crew,
  scenario: Scenario,
  design: string,
  choices: Uint8Array,
  index: number,
  found: Uint8Array,
  broke?: number,
): Promise<Finding> {
  const plain = await crew.session({ strategy: STRATEGY_REPLAY, limit: 1, choices, index });
  const end = await crew.session({
    strategy: STRATEGY_REPLAY,
    limit: 1,
    choices,
    index,
    record: true,
    watched: plain.problem?.race?.loc ?? -1,
  });
  // What broke once and breaks no more does not depend on the schedule alone.
  const shown = broke === undefined || broke === end.failure ? end : { ...end, failure: FAIL_NONDETERMINISM };
  const schedule = runsOf(end.choices);
  return {
    scenario: scenario.spec.name,
    design,
    threads: crew.names,
    ...describe(shown, crew.names, crew.memories),
    switches: Math.max(0, schedule.length - 1),
    foundSwitches: Math.max(0, runsOf(found).length - 1),
    token: encodeToken(scenario.spec.name, design, schedule, end.hash >>> 0),
    schedule,
  };
}

function codeOf(strategy: Strategy): { strategy: number; parameter: number; seed: number } {
  switch (strategy.kind) {
    case 'dpor':
      return { strategy: STRATEGY_DPOR, parameter: 0, seed: 1 };
    case 'bounded':
      return { strategy: STRATEGY_BOUNDED, parameter: strategy.preemptions, seed: 1 };
    case 'pct':
      return { strategy: STRATEGY_PCT, parameter: strategy.depth, seed: strategy.seed };
    case 'random':
      return { strategy: STRATEGY_RANDOM, parameter: 0, seed: strategy.seed };
  }
}

export function describeStrategy(strategy: Strategy): string {
  switch (strategy.kind) {
    case 'dpor':
      return 'partial-order reduction';
    case 'bounded':
      return `at most ${strategy.preemptions} preemptions`;
    case 'pct':
      return `priorities, depth ${strategy.depth}, seed ${strategy.seed}`;
    case 'random':
      return `random, seed ${strategy.seed}`;
  }
}

function describeBound(
  by: EndedBy,
  strategy: Strategy,
  bounds: Required<Bounds>,
  counts: Counts,
  seconds: number,
): string {
  if (by === 'schedules') return `${Math.min(bounds.schedules, MOST_SCHEDULES)} schedules`;
  if (by === 'seconds') return `${Math.round(seconds)} seconds`;
  if (by === 'interrupted') return 'interrupted';
  if (strategy.kind === 'bounded') return `${strategy.preemptions} preemptions`;
  if (counts.cut > 0) return `${bounds.steps} steps`;
  if (counts.releases === 0)
    return 'unchecked: plain accesses that race on purpose are no steps, and no guard is asked';
  return `held back: in ${counts.releases} places only a thread that looks at unchanged words could go on`;
}
