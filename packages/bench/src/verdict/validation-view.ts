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
    }),
  ),
  notes: z.array(z.string()),
});

export const WITHIN = 0.25;

export function errorOf({ real, model }: ValidationRow): number {
  return real === 0 ? 0 : model / real - 1;
}
