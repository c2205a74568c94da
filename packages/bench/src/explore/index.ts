export { balance } from './balance.ts';
export type { Patch } from './engine/hooks.ts';
export { ScenarioError } from './engine/placement.ts';
export {
  type ExploreOptions,
  exploreScenario,
  type Progress,
  type Replayed,
  replay,
} from './explore.ts';
export { linearizable, type SequentialSpec } from './linearizable.ts';
export { describeFinding } from './report/finding-text.ts';
export { summaryLine } from './report/summary.ts';
export type {
  Access,
  EndedBy,
  ExploreResult,
  Finding,
  FindingKind,
  Run,
  Step,
  StepKind,
  SwitchReason,
} from './result.ts';
export {
  type AnyThread,
  type Bounds,
  type CheckContext,
  type Context,
  designsOf,
  type Expectation,
  type Grade,
  type Operation,
  type Racy,
  type Region,
  type Scenario,
  type ScenarioSpec,
  type SharedMemory,
  type Strategy,
  scenario,
  type ThreadContext,
  type ThreadSpec,
  type WideWords,
  type Words,
} from './scenario.ts';
