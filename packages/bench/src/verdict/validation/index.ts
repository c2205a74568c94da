export type { Comparison } from './result.ts';
export { renderComparison } from './table.ts';
export { VALIDATE_FULL, VALIDATE_QUICK, validate } from './validate.ts';
