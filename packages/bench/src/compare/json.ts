// The comparison as data: what its table says, without the histograms that it was made from.
import type { Environment } from '../result/schema.ts';
import { COMPARISON_VERSION, type ComparedCell, type Comparison, regressionsOf } from './compare.ts';
import type { JudgedFigure } from './judge.ts';
import type { Measured } from './measured.ts';

export interface ComparisonFile {
  schemaVersion: typeof COMPARISON_VERSION;
  before: { file: string; kind: Measured['kind']; environment: Environment };
  after: ComparisonFile['before'];
  /** `noise` and `failOver` as ratios: 0.05 is 5 %, or 5 points of a share. */
  options: { confidence: number; resamples: number; seed: number; noise?: number; failOver?: number };
  warnings: string[];
  regressions: number;
  cells: { name: string; verdict: ComparedCell['verdict']; figures: JudgedFigure[] }[];
}

export function comparisonJson(comparison: Comparison): ComparisonFile {
  const { options, warnings, cells } = comparison;
  const { confidence, resamples, seed, noise, failOver } = options;
  const side = ({ file, kind, environment }: Measured): ComparisonFile['before'] => ({ file, kind, environment });
  return {
    schemaVersion: COMPARISON_VERSION,
    before: side(comparison.before),
    after: side(comparison.after),
    options: {
      ...{ confidence, resamples, seed },
      ...(noise === undefined ? {} : { noise }),
      ...(failOver === undefined ? {} : { failOver }),
    },
    warnings: [...warnings],
    regressions: regressionsOf(comparison).length,
    cells: cells.map(({ name, verdict, figures }) => ({ name, verdict, figures })),
  };
}
