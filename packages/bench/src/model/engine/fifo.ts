/** First in, first out, in an array that grows. */
export class Fifo<T> {
  #slots: (T | undefined)[] = new Array(64).fill(undefined);
  #first = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    if (this.#length === this.#slots.length) this.#grow();
    this.#slots[(this.#first + this.#length++) & (this.#slots.length - 1)] = item;
  }

  /** The oldest. There is one. */
  peek(): T {
    return this.#slots[this.#first] as T;
  }

  /** Takes the oldest. There is one. */
  take(): T {
    const item = this.#slots[this.#first] as T;
    this.#slots[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#slots.length - 1);
    this.#length--;
    return item;
  }

  #grow(): void {
    const { length } = this.#slots;
    const slots = new Array<T | undefined>(length * 2).fill(undefined);
    for (let i = 0; i < length; i++) slots[i] = this.#slots[(this.#first + i) & (length - 1)];
    this.#slots = slots;
    this.#first = 0;
  }
}
