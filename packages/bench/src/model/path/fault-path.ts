import type { ModelConfig } from '../config.ts';
import { costOf } from '../costs/schema.ts';
import type { Engine } from '../engine/engine.ts';
import { Line } from '../machine/line.ts';
import { Mutex } from '../machine/mutex.ts';
import type { Processors } from '../machine/processors.ts';
import { SLEEP, type Thread } from '../machine/thread.ts';
import { type Demands, demandsOf } from './demands.ts';
import type { Packet } from './packet.ts';
import { PendingList } from './pending-list.ts';

/** Reports and answers: the steps in which generations differ. A caller that got SLEEP asks again, with the same `progress`. */
export class FaultPath {
  readonly demands: Demands;
  readonly #paramLocks: Mutex[];
  readonly #faultLocks: Mutex[];
  readonly #lists: PendingList[];
  readonly #commandLine: Line | undefined;
  readonly #commandNs: number;
  readonly #batched: boolean;
  searched = 0;
  searches = 0;

  constructor(engine: Engine, processors: Processors, config: ModelConfig) {
    this.demands = demandsOf(config);
    const { costs, devices, generation, adaptive } = config;
    const wait = {
      spins: config.lockSpins,
      sleepNs: costOf(costs, 'lock.sleep'),
      transferNs: costOf(costs, 'line.transfer'),
    };
    this.#paramLocks = Array.from({ length: devices }, () => new Mutex(engine, processors, wait));
    this.#faultLocks = Array.from({ length: devices }, () => new Mutex(engine, processors, wait));
    this.#lists = Array.from({ length: devices }, () => new PendingList());
    this.#commandLine = config.commandQueue === 'shared' ? new Line(wait.transferNs) : undefined;
    this.#commandNs = costOf(costs, 'respond.command');
    this.#batched = generation === 'adaptive' && adaptive.batchedResponses;
  }

  /** @returns nanoseconds, or SLEEP. */
  report(now: number, thread: Thread & Progress, packet: Packet): number {
    const { demands } = this;
    const { groups, count } = packet;
    let took = demands.reportOutside * groups + demands.reportJoined * (count - groups);
    if (demands.reportParam > 0 && thread.progress === 0) {
      const held = demands.reportParam + (demands.nested ? demands.reportFault : 0);
      const took1 = this.#paramLocks[packet.device].take(now, thread, held * groups, groups);
      if (took1 === SLEEP) return SLEEP;
      took += took1 - (demands.nested ? demands.reportFault * groups : 0);
      thread.progress = 1;
    }
    if (demands.reportFault > 0) {
      const took2 = this.#faultLocks[packet.device].take(now, thread, demands.reportFault * groups, groups);
      if (took2 === SLEEP) return SLEEP;
      took += took2;
    }
    thread.progress = 0;
    if (demands.element > 0) this.#lists[packet.device].append(packet);
    return took;
  }

  /** @returns nanoseconds, or SLEEP. */
  respond(now: number, thread: Thread & Progress, packet: Packet, isFirst: boolean): number {
    const { demands } = this;
    const { groups, count } = packet;
    let took = demands.respondOutside * groups;
    if (demands.respondParam > 0 && thread.progress === 0) {
      const took1 = this.#paramLocks[packet.device].take(now, thread, demands.respondParam * groups, groups);
      if (took1 === SLEEP) return SLEEP;
      took += took1;
      thread.progress = 1;
    }
    const command = this.#commands(now, thread, count, isFirst);
    if (demands.respondFault > 0) {
      const list = this.#lists[packet.device];
      const before = demands.element > 0 ? list.before(packet) : 0;
      const held = (demands.respondFault + demands.element * before) * groups + (demands.commandHeld ? command : 0);
      const took2 = this.#faultLocks[packet.device].take(now, thread, held, groups);
      if (took2 === SLEEP) return SLEEP;
      took += took2;
      if (demands.element > 0) {
        list.remove(packet);
        this.searched += before * groups;
        this.searches += groups;
      }
    }
    thread.progress = 0;
    return took + (demands.commandHeld ? 0 : command);
  }

  #commands(now: number, thread: Thread, count: number, isFirst: boolean): number {
    const took = this.#commandNs * count;
    if (this.#commandLine === undefined || (this.#batched && !isFirst)) return took;
    return took + this.#commandLine.touch(now, thread.cpu, this.#batched ? 1 : count, 1);
  }

  /** Busy and waited time of both kinds of locks, over all devices. */
  get locks(): { readonly param: LockBooks; readonly fault: LockBooks } {
    return { param: sum(this.#paramLocks), fault: sum(this.#faultLocks) };
  }
  /** Time that the command queue's line was on its way. */
  get commandLineNs(): number {
    return this.#commandLine?.busyNs ?? 0;
  }
}

/** Which of a step's locks a thread has been through. */
export interface Progress {
  progress: number;
}

export interface LockBooks {
  readonly busyNs: number;
  readonly waitNs: number;
  readonly taken: number;
  readonly contended: number;
}

function sum(locks: readonly Mutex[]): LockBooks {
  let busyNs = 0;
  let waitNs = 0;
  let taken = 0;
  let contended = 0;
  for (const lock of locks) {
    busyNs += lock.busyNs;
    waitNs += lock.waitNs;
    taken += lock.taken;
    contended += lock.contended;
  }
  return { busyNs, waitNs, taken, contended };
}
