import type { z } from 'zod';
import { problemsOf, showProblem } from '../scenario/parameters.ts';

/** A file that cannot be compared: a line for each problem, naming the file and the field. */
export class FileError extends Error {
  override readonly name = 'FileError';
}

/** More of them say nothing new. */
const MOST_PROBLEMS = 5;

/** @throws FileError */
export function parse<T>(file: string, schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error, input).map((problem) => `${file}: ${showProblem(problem)}`);
  const more = problems.length - MOST_PROBLEMS;
  throw new FileError(
    [...problems.slice(0, MOST_PROBLEMS), ...(more > 0 ? [`${file}: and ${more} more`] : [])].join('\n'),
  );
}
