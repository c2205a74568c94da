import {
  FAULT_DEVICE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_PASID,
  type GroupSink,
  HANDLE_DOMAIN,
  HANDLE_WORDS,
  type IopfSystem,
  REQUEST_WORDS,
} from '@faultline/core/iopf';
import { MpmcProducer } from '@faultline/core/ring';
import type { Words } from '@faultline/core/sync';
import type { FailPoint } from '../memory/index.ts';
import { checkFaultQueue, QUEUE_RING, QUEUE_SLEEPERS, QUEUE_WAKE } from './layout.ts';

/** The sink of a thread that answers and never reports. */
export const reportsNothing: GroupSink = { queue: () => false, publish: () => {} };

export interface FaultSinkParts {
  readonly system: IopfSystem;
  /** Word offset of the domains' routes (faultRoutesWords). */
  readonly routes: number;
  /** Word offset of each fault queue, by its number. */
  readonly queues: readonly number[];
  /** For groups of domains without a route. */
  readonly work: GroupSink;
  /** Where a slot of a queue's ring is made to fail. */
  readonly fail?: FailPoint;
}

/** The core's end of the fault queues: groups of domains that are routed go to their queue, all others to `work`. Each reporting thread
 * has its own; any number may report into one queue. Takes no lock.
 *
 * Ordering.
 *   [P] push: the group, then its slot                  pairs with  the reader's pop (ring/mpmc.ts)
 *   [W] publish: pushed slots, then SLEEPERS            pairs with  park: SLEEPERS, then the ring, then WAKE (compared inside wait) */
export class FaultSink implements GroupSink {
  readonly #system: IopfSystem;
  readonly #words: Words;
  readonly #routes: number;
  readonly #queues: readonly number[];
  readonly #rings: readonly MpmcProducer[];
  readonly #work: GroupSink;
  readonly #fail: FailPoint | undefined;
  /** Bit i: queue i got groups since the last publish. */
  #pushed = 0;

  /** @throws IommuError EINVAL where no fault queue was laid out. */
  constructor({ system, routes, queues, work, fail }: FaultSinkParts) {
    const { words } = system;
    for (const base of queues) checkFaultQueue('FaultSink', words, base);
    this.#system = system;
    this.#words = words;
    this.#routes = routes;
    this.#queues = queues;
    this.#rings = queues.map((base) => new MpmcProducer(words, base + QUEUE_RING));
    this.#work = work;
    this.#fail = fail;
  }

  /** @returns false when as many groups wait for a reader as the queue has entries. */
  queue(group: number, domain: number): boolean {
    const queue = Atomics.load(this.#words, this.#routes + (domain === 0 ? this.#attachedTo(group) : domain)) - 1;
    if (queue < 0) return this.#work.queue(group, domain);
    if (this.#fail?.fails('ring slot') === true) return false;
    this.#pushed |= 1 << queue;
    return this.#rings[queue].push(group); // [P]
  }

  publish(): void {
    this.#work.publish();
    for (let queue = 0; this.#pushed >>> queue !== 0; queue++) {
      if (((this.#pushed >>> queue) & 1) === 0) continue;
      const base = this.#queues[queue];
      if (Atomics.load(this.#words, base + QUEUE_SLEEPERS) === 0) continue; // [W]
      Atomics.add(this.#words, base + QUEUE_WAKE, 1);
      Atomics.notify(this.#words, base + QUEUE_WAKE);
    }
    this.#pushed = 0;
  }

  /** `locked` leaves the look-up to the worker, who comes after the route is chosen: so it is made here, once more than then.
   * The handle is in place until this thread's next quiescent state. @returns 0 when nothing is attached: the work queue's. */
  #attachedTo(group: number): number {
    const { words, requests, handles } = this.#system;
    const at = requests.objects + group * REQUEST_WORDS;
    const pasid = (words[at + FAULT_FLAGS] & FAULT_FLAG_PASID_VALID) === 0 ? 0 : words[at + FAULT_PASID];
    const handle = this.#system.attachArray(words[at + FAULT_DEVICE]).load(pasid);
    return handle === 0 ? 0 : words[handles.objects + handle * HANDLE_WORDS + HANDLE_DOMAIN];
  }
}
