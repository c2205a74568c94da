// A log-linear histogram in shared words: every power of two is cut into SUB_BUCKETS bins of equal width, so a bin is never
// wider than 1/32 of what it holds. One writer; anyone may read.
//
//   name      offset  unit
//   MAX       0       ticks, exact
//   NEGATIVE  1       values below zero, counted in bin 0 as well: clocks of two threads that disagree
//   BINS      32      u32 counts, HISTOGRAM_BINS of them
import { checkInteger, IommuError } from '../errors/index.ts';
import { LINE, type Words } from '../sync/thread-self.ts';

/** Bins a power of two. */
export const SUB_BUCKETS = 32;
const SUB_LG2 = 5;
export const HISTOGRAM_MAX = 0;
export const HISTOGRAM_NEGATIVE = 1;
export const HISTOGRAM_FIRST_BIN = 32;
/** Values 0 to 63 have a bin each; every power of two from 64 to 2^30 has SUB_BUCKETS: all of a non-negative i32. */
export const HISTOGRAM_BINS = 864;

/** Words one histogram needs, whole lines. */
export function histogramWords(): number {
  return HISTOGRAM_FIRST_BIN + HISTOGRAM_BINS;
}

/** Empties the histogram at `base`, before it is shared.
 * @throws IommuError EINVAL `base` is no line inside the memory. */
export function initHistogram(words: Words, base: number): void {
  checkInteger('initHistogram', 'base', base, LINE, words.length - histogramWords());
  if (base % LINE !== 0) throw new IommuError('EINVAL', 'initHistogram', 'base', base, `must be a multiple of ${LINE}`);
  words.fill(0, base, base + histogramWords());
}

/** @returns the bin of a value from 0 to 2^31 - 1. */
export function histogramBin(value: number): number {
  if (value < SUB_BUCKETS) return value;
  const shift = 31 - SUB_LG2 - Math.clz32(value); // leaves SUB_LG2 + 1 leading bits: 32 to 63
  return shift * SUB_BUCKETS + (value >>> shift);
}

/** @returns the smallest value of a bin. The bin after the last begins at 2^31. */
export function histogramBinStart(bin: number): number {
  if (bin < 2 * SUB_BUCKETS) return bin;
  const shift = Math.floor(bin / SUB_BUCKETS) - 1;
  return (bin - shift * SUB_BUCKETS) * 2 ** shift;
}

/** Counts one value. Context: the histogram's only writer (MAX is not kept against another).
 * @param value ticks; below zero counts as 0 and as NEGATIVE. */
export function histogramRecord(words: Words, base: number, value: number): void {
  if (value < 0) {
    Atomics.add(words, base + HISTOGRAM_NEGATIVE, 1);
    value = 0;
  }
  Atomics.add(words, base + HISTOGRAM_FIRST_BIN + histogramBin(value), 1);
  if (value > Atomics.load(words, base + HISTOGRAM_MAX)) Atomics.store(words, base + HISTOGRAM_MAX, value);
}

/** Histograms added up in private memory: counts beyond u32, quantiles, bins. */
export class HistogramSum {
  /** Count by bin. */
  readonly counts: Float64Array = new Float64Array(HISTOGRAM_BINS);
  total = 0;
  max = 0;
  negative = 0;

  /** Adds the histogram at `base`. While its writer still writes, each bin is some recent value. */
  add(words: Words, base: number): void {
    for (let bin = 0; bin < HISTOGRAM_BINS; bin++) {
      const count = Atomics.load(words, base + HISTOGRAM_FIRST_BIN + bin) >>> 0;
      this.counts[bin] += count;
      this.total += count;
    }
    this.negative += Atomics.load(words, base + HISTOGRAM_NEGATIVE) >>> 0;
    this.max = Math.max(this.max, Atomics.load(words, base + HISTOGRAM_MAX));
  }

  /** Adds another sum. */
  merge(other: HistogramSum): void {
    for (let bin = 0; bin < HISTOGRAM_BINS; bin++) this.counts[bin] += other.counts[bin];
    this.total += other.total;
    this.negative += other.negative;
    this.max = Math.max(this.max, other.max);
  }

  /** The value below or at which the share `q` of all values lies: a bin's last value, never above {@link max}. 0 when empty.
   * @param q from 0 to 1. @throws IommuError EINVAL */
  quantile(q: number): number {
    if (!(q >= 0 && q <= 1)) throw new IommuError('EINVAL', 'HistogramSum.quantile', 'q', q, 'must be from 0 to 1');
    const rank = Math.max(1, Math.ceil(q * this.total));
    let seen = 0;
    for (let bin = 0; bin < HISTOGRAM_BINS; bin++) {
      seen += this.counts[bin];
      if (seen >= rank) return Math.min(this.max, histogramBinStart(bin + 1) - 1);
    }
    return 0;
  }

  /** Bins that hold something, in order: first value, the value after the last, count. */
  *bins(): Generator<{ start: number; end: number; count: number }, void, void> {
    for (let bin = 0; bin < HISTOGRAM_BINS; bin++) {
      const count = this.counts[bin];
      if (count > 0) yield { start: histogramBinStart(bin), end: histogramBinStart(bin + 1), count };
    }
  }
}
