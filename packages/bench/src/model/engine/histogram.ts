/** Sub-bins of each doubling: values are told apart to 3 %. */
const LG_SUB = 5;
const SUB = 1 << LG_SUB;
const DOUBLINGS = 44; // nanoseconds up to five hours

/** Durations in nanoseconds, in bins that grow with them. */
export class Histogram {
  readonly #bins: Float64Array = new Float64Array((DOUBLINGS + 1) * SUB);
  count = 0;
  sum = 0;
  max = 0;

  record(value: number, times: number): void {
    this.#bins[binOf(value)] += times;
    this.count += times;
    this.sum += value * times;
    if (value > this.max) this.max = value;
  }

  clear(): void {
    this.#bins.fill(0);
    this.count = 0;
    this.sum = 0;
    this.max = 0;
  }

  /** @returns the value that `share` of all are not above, 0 without any. */
  quantile(share: number): number {
    let left = share * this.count;
    if (this.count === 0) return 0;
    for (let bin = 0; bin < this.#bins.length; bin++) {
      left -= this.#bins[bin];
      if (left <= 0) return Math.min(this.max, endOf(bin));
    }
    return this.max;
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }
}

function binOf(value: number): number {
  if (value < SUB) return Math.max(0, Math.floor(value));
  const doubling = Math.min(DOUBLINGS + LG_SUB - 1, Math.floor(Math.log2(value)));
  const sub = Math.min(SUB - 1, Math.floor((value / 2 ** doubling - 1) * SUB));
  return (doubling - LG_SUB + 1) * SUB + sub;
}

function endOf(bin: number): number {
  if (bin < SUB) return bin;
  const doubling = Math.floor(bin / SUB) + LG_SUB - 1;
  return 2 ** doubling * (1 + ((bin % SUB) + 1) / SUB);
}
