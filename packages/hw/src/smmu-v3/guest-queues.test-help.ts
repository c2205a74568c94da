import { ERRNO } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import type { VirtualEventSink } from './virtual/index.ts';

export interface GuestEvent {
  readonly sequence: number;
  readonly record: readonly number[];
}

interface Queue {
  readonly depth: number;
  readonly events: GuestEvent[];
  sequence: number;
  /** Whether the tail is the header that says that events were lost. */
  lost: boolean;
}

/** Event queues of vIOMMUs as iommufd has them: each event has the next sequence number; one that finds the queue full is lost, which a header
 * at the tail says, and, once there is room again, the gap in the numbers. A vIOMMU without a queue takes nothing. */
export class GuestQueues implements VirtualEventSink {
  readonly #words: Words;
  readonly #queues: Map<number, Queue> = new Map();

  constructor(words: Words) {
    this.#words = words;
  }

  open(vsmmu: number, depth: number = 64): void {
    this.#queues.set(vsmmu, { depth, events: [], sequence: -1, lost: false });
  }

  reportEvent(vsmmu: number, at: number): number {
    const queue = this.#queues.get(vsmmu);
    if (queue === undefined) return -ERRNO.EOPNOTSUPP;
    queue.sequence++;
    queue.lost = queue.events.length === queue.depth;
    if (queue.lost) return 0;
    const record = Array.from(this.#words.subarray(at, at + 8), (w) => w >>> 0);
    queue.events.push({ sequence: queue.sequence, record });
    return 0;
  }

  /** Takes all that a guest has been told: its events, and whether the last thing it is told is that some were lost. */
  read(vsmmu: number): { readonly events: readonly GuestEvent[]; readonly lost: boolean } {
    const queue = this.#queues.get(vsmmu);
    if (queue === undefined) return { events: [], lost: false };
    const lost = queue.lost;
    queue.lost = false;
    return { events: queue.events.splice(0), lost };
  }
}
