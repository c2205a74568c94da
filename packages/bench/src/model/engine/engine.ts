import { EventHeap } from './heap.ts';

/** What events are for. */
export interface Target {
  /** One of this target's events is due. */
  fire(arg: number): void;
}

/** Virtual time in nanoseconds, and what happens in it. */
export class Engine {
  now = 0;
  /** Events that have happened. */
  events = 0;
  readonly #heap: EventHeap = new EventHeap();
  readonly #targets: Target[] = [];
  #stopped = false;

  /** @returns the number to schedule by. */
  register(target: Target): number {
    return this.#targets.push(target) - 1;
  }

  schedule(at: number, target: number, arg: number): void {
    this.#heap.push(at, target, arg);
  }

  /** Ends {@link run} after the event under way. */
  stop(): void {
    this.#stopped = true;
  }

  /** Lets everything happen that is due before `until`. */
  run(until: number): void {
    const heap = this.#heap;
    const targets = this.#targets;
    this.#stopped = false;
    while (heap.size > 0 && heap.nextAt < until && !this.#stopped) {
      heap.pop();
      this.now = heap.poppedAt;
      this.events++;
      targets[heap.poppedTarget].fire(heap.poppedArg);
    }
    if (!this.#stopped) this.now = until;
  }
}
