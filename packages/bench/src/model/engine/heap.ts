/** Events by time, those of one time in the order they were added: a 4-ary heap over typed arrays. */
export class EventHeap {
  #at: Float64Array;
  #seq: Float64Array;
  #target: Int32Array;
  #arg: Int32Array;
  #size = 0;
  #added = 0;
  /** What {@link pop} took. */
  poppedAt = 0;
  poppedTarget = 0;
  poppedArg = 0;

  constructor(capacity = 1024) {
    this.#at = new Float64Array(capacity);
    this.#seq = new Float64Array(capacity);
    this.#target = new Int32Array(capacity);
    this.#arg = new Int32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }
  /** Time of the next event. There is one. */
  get nextAt(): number {
    return this.#at[0];
  }

  push(at: number, target: number, arg: number): void {
    if (this.#size === this.#at.length) this.#grow();
    const times = this.#at;
    const seqs = this.#seq;
    const targets = this.#target;
    const args = this.#arg;
    let slot = this.#size++;
    while (slot > 0) {
      const parent = (slot - 1) >> 2;
      if (times[parent] <= at) break; // of one time: the older event stays above
      times[slot] = times[parent];
      seqs[slot] = seqs[parent];
      targets[slot] = targets[parent];
      args[slot] = args[parent];
      slot = parent;
    }
    times[slot] = at;
    seqs[slot] = this.#added++;
    targets[slot] = target;
    args[slot] = arg;
  }

  /** Takes the next event into popped*. There is one. */
  pop(): void {
    const times = this.#at;
    const seqs = this.#seq;
    const targets = this.#target;
    const args = this.#arg;
    this.poppedAt = times[0];
    this.poppedTarget = targets[0];
    this.poppedArg = args[0];
    const size = --this.#size;
    if (size === 0) return;
    const at = times[size];
    const seq = seqs[size];
    let slot = 0;
    for (;;) {
      const first = slot * 4 + 1;
      if (first >= size) break;
      let least = first;
      const end = Math.min(first + 4, size);
      for (let child = first + 1; child < end; child++)
        if (times[child] < times[least] || (times[child] === times[least] && seqs[child] < seqs[least])) least = child;
      if (at < times[least] || (at === times[least] && seq < seqs[least])) break;
      times[slot] = times[least];
      seqs[slot] = seqs[least];
      targets[slot] = targets[least];
      args[slot] = args[least];
      slot = least;
    }
    times[slot] = at;
    seqs[slot] = seq;
    targets[slot] = targets[size];
    args[slot] = args[size];
  }

  #grow(): void {
    const length = this.#at.length * 2;
    const grown = <T extends Float64Array | Int32Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#at = grown(new Float64Array(length), this.#at);
    this.#seq = grown(new Float64Array(length), this.#seq);
    this.#target = grown(new Int32Array(length), this.#target);
    this.#arg = grown(new Int32Array(length), this.#arg);
  }
}
