export { renderHtml } from './report/html.ts';
export { findKnees } from './report/knee.ts';
export { renderResult } from './report/table.ts';
export { checkBooks } from './result/books.ts';
export { latencyOf, mergeBins, mergeCells } from './result/merge.ts';
export {
  type Calibration,
  type Cell,
  type Environment,
  type Leaked,
  type Result,
  resultSchema,
  SCHEMA_VERSION,
} from './result/schema.ts';
export { defaultParameters } from './scenario/defaults.ts';
export { parseScenario } from './scenario/file.ts';
export { type IommuName, parseParameters, type StressParameters } from './scenario/parameters.ts';
export { calibrate, runCells } from './stress/run.ts';
export type { RunHooks, RunOutcome } from './stress/types.ts';
