// The model beside the real run, as data.
import { z } from 'zod';
import { GENERATIONS, type Generation } from '../../scenario/parameters.ts';
import type { Validation, ValidationRow } from '../validation-view.ts';

/** Why a row is held to the limit, or not. */
export const VERDICTS = ['within', 'off', 'saturated', 'disturbed'] as const;
export type RowVerdict = (typeof VERDICTS)[number];

export interface ComparedRow extends ValidationRow {
  readonly generation: Generation;
  /** Model to real, less one. */
  readonly throughputError: number;
  readonly p99Error: number;
  /** Real throughput of each repeat; `real` is the least disturbed one's. */
  readonly repeats: readonly number[];
  /** Share of the processors that other programs had while that repeat ran. */
  readonly othersShare: number;
  /** Share of the processors' time that the model has work for. */
  readonly modelBusy: number;
  readonly timeouts: number;
  readonly modelTimeouts: number;
  readonly verdict: RowVerdict;
}

export interface Comparison extends Validation {
  readonly rows: readonly ComparedRow[];
  readonly limit: number;
  /** Rows below saturation that were not disturbed, and those of them within the limit. */
  readonly held: number;
  readonly within: number;
}

const amount = z.number().nonnegative();
export const comparisonSchema: z.ZodType<Comparison> = z.object({
  rows: z.array(
    z.object({
      generation: z.enum(GENERATIONS),
      threads: z.int().positive(),
      scanner: amount,
      real: amount,
      model: amount,
      realP99Ns: amount,
      modelP99Ns: amount,
      isBelowSaturation: z.boolean(),
      throughputError: z.number(),
      p99Error: z.number(),
      repeats: z.array(amount),
      othersShare: amount,
      modelBusy: amount,
      timeouts: amount,
      modelTimeouts: amount,
      verdict: z.enum(VERDICTS),
    }),
  ),
  notes: z.array(z.string()),
  limit: amount,
  held: z.int().nonnegative(),
  within: z.int().nonnegative(),
});
