import type { ModelConfig } from '../config.ts';
import { costOf } from '../costs/schema.ts';
import { SLEEP, Thread } from '../machine/thread.ts';
import type { Hardware } from '../workload/hardware.ts';
import type { Memory } from '../workload/memory.ts';
import type { FaultPath, Progress } from './fault-path.ts';
import type { Packet } from './packet.ts';
import type { WorkQueue } from './work-queue.ts';

const TAKE = 0;
const HANDLE = 1;
const RESPOND = 2;
const FLUSH = 3;

/** One worker of the work queue: takes a batch, handles and answers one group after the other, and lets the answers go out. */
export class HandlerThread extends Thread implements Progress {
  readonly #number: number;
  readonly #work: WorkQueue;
  readonly #path: FaultPath;
  readonly #memory: Memory;
  readonly #hardware: Hardware;
  readonly #takeNs: number;
  readonly #batchNs: number;
  readonly #flushNs: number;
  readonly #wakeNs: number;
  readonly #lookUpNs: number;
  readonly #most: number;
  readonly #handlers: number;
  readonly #batch: Packet[] = [];
  #state = TAKE;
  #at = 0;
  #batches = 1; // that the packets in hand would be, if their groups travelled alone
  #isHandled = false; // the packet at hand, but for its pages being seen
  progress = 0;

  constructor(
    config: ModelConfig,
    number: number,
    work: WorkQueue,
    path: FaultPath,
    memory: Memory,
    hardware: Hardware,
  ) {
    super('handler');
    this.#number = number;
    this.#work = work;
    this.#path = path;
    this.#memory = memory;
    this.#hardware = hardware;
    this.#takeNs = costOf(config.costs, 'work.take');
    this.#batchNs = costOf(config.costs, 'work.batch');
    this.#flushNs = costOf(config.costs, 'respond.flush');
    this.#wakeNs = costOf(config.costs, 'thread.wake');
    this.#lookUpNs = costOf(config.costs, 'handler.look-up');
    this.#most = config.handlerBatch;
    this.#handlers = Math.min(config.handlers, config.maxActive);
  }

  step(now: number): number {
    switch (this.#state) {
      case TAKE:
        return this.#take(now);
      case HANDLE:
        return this.#handle(now);
      case RESPOND:
        return this.#respond(now);
      default:
        return this.#flush();
    }
  }

  #take(now: number): number {
    const share = Math.min(this.#most, Math.ceil(this.#work.length / this.#handlers));
    let groups = 0;
    while (groups < share) {
      const packet = this.#work.take();
      if (packet === undefined) break;
      this.#batch.push(packet);
      groups += packet.groups;
    }
    if (groups === 0) {
      this.#work.park(this);
      return SLEEP;
    }
    this.#at = 0;
    this.#state = HANDLE;
    this.#batches = Math.ceil(groups / this.#most);
    return this.#batchNs * this.#batches + this.#takeNs * groups + this.#work.transfer(now, this.cpu, groups);
  }

  #handle(now: number): number {
    const packet = this.#batch[this.#at];
    if (this.#isHandled) {
      this.#isHandled = false;
      this.#memory.answer(packet);
      packet.handledAt = now;
      packet.handler = this.#number;
      this.#state = RESPOND;
      return this.#respond(now);
    }
    const took = this.#memory.handle(now, this, packet, this.#lookUpNs * packet.count);
    if (took !== SLEEP) this.#isHandled = true;
    return took;
  }

  #respond(now: number): number {
    const packet = this.#batch[this.#at];
    const took = this.#path.respond(now, this, packet, this.#at === 0);
    if (took === SLEEP) return SLEEP;
    this.#at++;
    this.#state = this.#at === this.#batch.length ? FLUSH : HANDLE;
    return took;
  }

  #flush(): number {
    for (const packet of this.#batch) this.#hardware.answer(packet);
    this.#batch.length = 0;
    this.#state = TAKE;
    return this.#flushNs * this.#batches + (this.#hardware.publish() ? this.#wakeNs : 0);
  }
}
