// How an exploration is shown: on a terminal, as a file, as data, as a test.
export { type Made, resultsDocument } from './document.ts';
export { findingHtml } from './finding-html.ts';
export { describeFinding } from './finding-text.ts';
export { jsonResultsSchema, toJson } from './results-json.ts';
export { resultsTable } from './results-table.ts';
export { regressionTest } from './saved-test.ts';
export { describeOutcomes, describeVerdict, summaryLine, verdictOf } from './summary.ts';
export { decodeToken, encodeToken } from './token.ts';
