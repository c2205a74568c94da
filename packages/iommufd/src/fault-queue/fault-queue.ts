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

/** Answers that are given at once. */
const BATCH = 64;

function isAnswer(code: number): code is typeof RESPONSE_SUCCESS | typeof RESPONSE_INVALID {
  return code === RESPONSE_SUCCESS || code === RESPONSE_INVALID;
}

/** Why an answer was refused. */
export function refusal(cookie: number, code: number): IommuError {
  return isAnswer(code)
    ? new IommuError('EINVAL', 'FaultQueue.respond', 'cookie', cookie, 'no group of this queue waits under it')
    : new IommuError('EINVAL', 'FaultQueue.respond', 'code', code, 'must be Success (0) or Invalid (1)');
}

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
  /** Groups of the last {@link nextAll}. */
  #delivered = new Int32Array(0);
  readonly #answered = new Int32Array(BATCH);

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

  /** Delivers the oldest groups, as many as fit, under one hold of the queue; {@link show} has {@link fault} on one of them. Otherwise as
   * {@link next}. @param cookies filled from 0 on. @returns how many. */
  nextAll(cookies: Int32Array): number {
    this.#system.reader.quiescent();
    this.#show(0);
    if (this.#delivered.length < cookies.length) this.#delivered = new Int32Array(cookies.length);
    const delivery = this.#delivery;
    let count = 0;
    delivery.lock();
    for (; count < cookies.length; count++) {
      const group = delivery.head();
      if (group === 0) break;
      const cookie = delivery.reserve(group);
      cookies[count] = cookie;
      this.#delivered[count] = group;
      delivery.deliver(group, cookie);
    }
    delivery.unlock();
    return count;
  }

  /** Has {@link fault} on the first fault of a group of the last {@link nextAll}, whose cookie is unanswered. @param at as in its `cookies`. */
  show(at: number): void {
    this.#show(this.#delivered[at]);
  }

  /** Answers a group and lets go of it. The device has the answer at its driver's pace; nothing is left to flush here.
   * @returns false when the group had been answered for us (PRI-off, light flush): a no-op, and the cookie is used up.
   * @throws IommuError EINVAL, with nothing answered: `code` is neither RESPONSE_SUCCESS nor RESPONSE_INVALID (the cookie stays
   * good), or `cookie` names no group that this queue delivered and that is unanswered: stale, repeated, another queue's, made up. */
  respond(cookie: number, code: number): boolean {
    if (!isAnswer(code)) throw refusal(cookie, code);
    const group = this.#delivery.keys.redeem(cookie);
    if (group === 0) throw refusal(cookie, code);
    if (group === this.#shown) this.#show(0);
    const answered = this.#path.respondGroup(group, code);
    this.#ops.flushResponses(); // the answer is out before the group goes, as in HandlerThread
    this.#path.freeGroup(group);
    this.#path.endBatch();
    return answered;
  }

  /** Answers several groups, in order, up to the first answer that {@link respond} would refuse ({@link refusal} says why): the devices have
   * all of them at once. @param answers pairs of cookie and code. @returns how many were answered. */
  respondAll(answers: Int32Array, count: number): number {
    for (let done = 0; done < count; ) {
      const batch = this.#respondBatch(answers, done, Math.min(count - done, BATCH));
      done += batch;
      if (batch < BATCH) return done;
    }
    return count;
  }

  #respondBatch(answers: Int32Array, from: number, most: number): number {
    const answered = this.#answered;
    const { keys } = this.#delivery;
    let count = 0;
    for (; count < most; count++) {
      const code = answers[2 * (from + count) + 1];
      if (!isAnswer(code)) break;
      const group = keys.redeem(answers[2 * (from + count)]);
      if (group === 0) break;
      if (group === this.#shown) this.#show(0);
      this.#path.respondGroup(group, code);
      answered[count] = group;
    }
    if (count === 0) return 0;
    this.#ops.flushResponses(); // the answers are out before their groups go
    for (let i = 0; i < count; i++) this.#path.freeGroup(answered[i]);
    this.#path.endBatch();
    return count;
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
