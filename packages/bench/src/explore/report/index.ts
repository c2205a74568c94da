// How an exploration is shown: on a terminal, as a file, as data, as a test.
export { findingHtml } from './finding-html.ts';
export { describeFinding, type FindingTextOptions } from './finding-text.ts';
export { type JsonResult, jsonResultsSchema, toJson } from './results-json.ts';
export { type Links, markdownTable, resultsTable, sourceLink } from './results-table.ts';
export { regressionTest, type SavedFrom } from './saved-test.ts';
export { describeOutcomes, describeVerdict, summaryLine, type Verdict, verdictOf } from './summary.ts';
export { decodeToken, encodeToken, type Token } from './token.ts';
