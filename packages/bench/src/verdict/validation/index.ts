export { type ComparedRow, type Comparison, comparisonSchema } from './result.ts';
export { renderComparison } from './table.ts';
export { VALIDATE_FULL, VALIDATE_QUICK, type ValidateOptions, validate } from './validate.ts';
