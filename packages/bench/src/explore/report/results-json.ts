// Results as JSON: what `explore --json` writes, and others may rely on.
import { z } from 'zod';
import type { ExploreResult } from '../result.ts';

/** One scenario and design. */
export interface JsonResult {
  scenario: string;
  /** '' for a scenario that is from no thread of the list. */
  seed: string;
  design: string;
  expected: 'fails' | 'holds';
  /** What kind of finding; null for none. */
  found: string | null;
  schedules: number;
  exhausted: boolean;
  /** The bound that cut the space; '' for none. */
  bound: string;
  /** Of the minimised schedule that was found; of the longest schedule, where nothing was. */
  steps: number;
  seconds: number;
  /** Replays what was found; null where nothing was, or where no schedule came about. */
  token: string | null;
}

const count = z.number().int().nonnegative();

export const jsonResultsSchema: z.ZodType<JsonResult[]> = z.array(
  z.strictObject({
    scenario: z.string().min(1),
    seed: z.string(),
    design: z.string().min(1),
    expected: z.enum(['fails', 'holds']),
    found: z.string().min(1).nullable(),
    schedules: count,
    exhausted: z.boolean(),
    bound: z.string(),
    steps: count,
    seconds: z.number().nonnegative(),
    token: z.string().min(1).nullable(),
  }),
);

/** @throws ZodError if a result is not what the schema says: a fault of whoever made it. */
export function toJson(results: readonly ExploreResult[]): JsonResult[] {
  return jsonResultsSchema.parse(
    results.map(({ scenario, seed, design, expected, finding, schedules, exhausted, bound, steps, seconds }) => ({
      ...{ scenario, seed, design, expected, found: finding?.kind ?? null, schedules, exhausted, bound },
      ...{ steps: finding?.steps.length ?? steps, seconds, token: finding?.token || null },
    })),
  );
}
