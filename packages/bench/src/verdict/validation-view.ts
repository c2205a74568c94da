// What the verdict's document shows of the model beside the real run.
import { z } from 'zod';

export interface ValidationRow {
  readonly generation: string;
  readonly threads: number;
  /** Milliseconds in which the page scanner goes round; 0: it was off. */
  readonly scanner: number;
  /** Faults a second. */
  readonly real: number;
  readonly model: number;
  readonly realP99Ns: number;
  readonly modelP99Ns: number;
  /** Below saturation, where the model's throughput is held to 25 %. */
  readonly isBelowSaturation: boolean;
  /** Share of the processors that other programs had in the real run. */
  readonly othersShare?: number;
  /** `within`, `off`, `saturated`, or `disturbed`: by other programs. */
  readonly verdict?: string;
}

export interface Validation {
  readonly rows: readonly ValidationRow[];
  /** What the reader should know: machine, costs, where saturation begins, why the model is off. */
  readonly notes: readonly string[];
}

const amount = z.number().nonnegative();
export const validationSchema: z.ZodType<Validation> = z.object({
  rows: z.array(
    z.object({
      generation: z.string(),
      threads: z.int(),
      scanner: amount,
      real: amount,
      model: amount,
      realP99Ns: amount,
      modelP99Ns: amount,
      isBelowSaturation: z.boolean(),
      othersShare: amount.exactOptional(),
      verdict: z.string().exactOptional(),
    }),
  ),
  notes: z.array(z.string()),
});

/** Reads what `faultline calibrate --validate --json` wrote. @throws ZodError, SyntaxError */
export function readValidation(text: string): Validation {
  return z.object({ validation: validationSchema }).parse(JSON.parse(text)).validation;
}

export const WITHIN = 0.25;

/** Rows that the limit is for: below saturation, and not disturbed. */
export function heldRows({ rows }: Validation): readonly ValidationRow[] {
  return rows.filter(({ isBelowSaturation, verdict }) => isBelowSaturation && verdict !== 'disturbed');
}

export function errorOf({ real, model }: ValidationRow): number {
  return real === 0 ? 0 : model / real - 1;
}
