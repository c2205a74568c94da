import { IommuError } from '@faultline/core/errors';
import {
  type FaultPath,
  type IommuOps,
  type IopfSystem,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
} from '@faultline/core/iopf';
import { Delivery } from './delivery.ts';
import { FaultCursor } from './fault-cursor.ts';
import type { GroupKeys } from './group-keys.ts';
import { checkFaultQueue, QUEUE_GROUPS } from './layout.ts';

/** What answers go through: all of it the calling thread's own. */
export interface AnswerParts {
  readonly system: IopfSystem;
  readonly path: FaultPath;
  readonly ops: IommuOps;
}

export interface FaultQueueParts extends AnswerParts {
  /** Word offset of the queue (initFaultQueue). */
  readonly base: number;
  /** What user space answers by. Default, and the only safe one: cookies of ours. */
  readonly keys?: GroupKeys;
}

/** User space's end of a fault queue: groups out, answers in. Each thread opens its own; several may read one queue, and a cookie
 * may be answered on another thread than the one that read it. Context: a thread that is online (`system.reader`).
 * @see Linux drivers/iommu/iommufd/eventq.c */
export class FaultQueue {
  /** On the first fault of the group that {@link next} delivered; on nothing once that one is answered here. */
  readonly fault: FaultCursor;
  readonly #system: IopfSystem;
  readonly #path: FaultPath;
  readonly #ops: IommuOps;
  readonly #delivery: Delivery;
  #shown = 0;

  /** @throws IommuError EINVAL where no queue was laid out, or one for fewer groups than the system has. */
  constructor(parts: FaultQueueParts) {
    const { system, base } = parts;
    const { words, config } = system;
    checkFaultQueue('FaultQueue', words, base);
    if (config.requests > words[base + QUEUE_GROUPS])
      throw new IommuError(
        'EINVAL',
        'FaultQueue',
        'groups',
        words[base + QUEUE_GROUPS],
        `there are ${config.requests}`,
      );
    this.fault = new FaultCursor(words, system.requests.objects);
    this.#system = system;
    this.#path = parts.path;
    this.#ops = parts.ops;
    this.#delivery = new Delivery(system, base, parts.keys);
  }

  /** Delivers the oldest group that waits; {@link fault} is on its first fault. Passes a quiescent state; waits for other readers of the
   * queue only. A group that was answered meanwhile for us (PRI-off) is delivered too: to let go of it, answer it.
   * @returns its cookie, owed exactly one {@link respond}, or 0: none waits. */
  next(): number {
    this.#system.reader.quiescent();
    const delivery = this.#delivery;
    delivery.lock();
    const group = delivery.head();
    const cookie = group === 0 ? 0 : delivery.reserve(group);
    this.#show(group); // while nobody can answer it
    if (group !== 0) delivery.deliver(group, cookie);
    delivery.unlock();
    return cookie;
  }

  /** Answers a group and lets go of it. The device has the answer at its driver's pace; nothing is left to flush here.
   * @returns false when the group had been answered for us (PRI-off, light flush): a no-op, and the cookie is used up.
   * @throws IommuError EINVAL, with nothing answered: `code` is neither RESPONSE_SUCCESS nor RESPONSE_INVALID (the cookie stays
   * good), or `cookie` names no group that this queue delivered and that is unanswered: stale, repeated, another queue's, made up. */
  respond(cookie: number, code: number): boolean {
    if (code !== RESPONSE_SUCCESS && code !== RESPONSE_INVALID)
      throw new IommuError('EINVAL', 'FaultQueue.respond', 'code', code, 'must be Success (0) or Invalid (1)');
    const group = this.#delivery.keys.redeem(cookie);
    if (group === 0)
      throw new IommuError('EINVAL', 'FaultQueue.respond', 'cookie', cookie, 'no group of this queue waits under it');
    if (group === this.#shown) this.#show(0);
    const answered = this.#path.respondGroup(group, code);
    this.#ops.flushResponses(); // the answer is out before the group goes, as in HandlerThread
    this.#path.freeGroup(group);
    this.#path.endBatch();
    return answered;
  }

  /** Sleeps until groups are published, offline meanwhile. May return early. */
  park(timeoutMs: number): void {
    this.#path.isReleased(); // frees what waited for a grace period
    this.#system.reader.offline();
    this.#delivery.park(timeoutMs);
    this.#system.reader.online();
  }

  #show(group: number): void {
    this.#shown = group;
    this.fault.place(group);
  }
}
