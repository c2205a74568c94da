import type { Engine, Target } from '../engine/engine.ts';
import { ReadyQueue } from './ready-queue.ts';
import { ASLEEP, POLL, POLLING, READY, ROLES, RUNNING, SLEEP, type Thread } from './thread.ts';

// Linux's fair scheduler, simply: a queue a processor, ordered by time had; a thread runs for a slice, then the one that had least
// goes on. A woken thread gets its last processor or another one that is idle; else it joins a short queue, neither owing nor owed,
// and takes the processor early from a thread that had more than `wakeAhead` beyond it. An idle processor takes from the others'
// queues. Real-time threads go first, and run until they sleep. Slices end between steps, which are microseconds: a thread is never stopped while it holds a lock.

export interface ProcessorsConfig {
  readonly processors: number;
  readonly sliceNs: number;
  /** How far ahead the running thread must be for a woken one to take its place before the slice ends. */
  readonly wakeAheadNs: number;
  /** From being woken to running, on an idle processor. */
  readonly wakeLatencyNs: number;
  readonly switchNs: number;
}

const CPU_BITS = 13;
const CPU_MASK: number = (1 << CPU_BITS) - 1;
const TOKEN_MASK: number = (1 << (31 - CPU_BITS)) - 1;
/** Processors that may be asked for. */
export const MAX_PROCESSORS: number = CPU_MASK;
/** Queues looked at for the shortest, when nobody is idle. */
const LOOKS = 3;

export class Processors implements Target {
  readonly #engine: Engine;
  readonly #id: number;
  readonly #config: ProcessorsConfig;
  readonly #current: (Thread | undefined)[];
  readonly #last: (Thread | undefined)[];
  readonly #queues: ReadyQueue[];
  readonly #sliceEnd: Float64Array;
  readonly #least: Float64Array; // vruntime that newcomers start from; never falls
  readonly #token: Int32Array; // an event with another one is void
  readonly #idle: Uint8Array;
  #idleCount: number;
  #queued = 0;
  #turn = 0;
  /** Processor time by role. */
  readonly busyNs: Float64Array = new Float64Array(ROLES.length);
  switches = 0;
  switchNs = 0;

  constructor(engine: Engine, config: ProcessorsConfig) {
    const count = config.processors;
    this.#engine = engine;
    this.#id = engine.register(this);
    this.#config = config;
    this.#current = new Array(count).fill(undefined);
    this.#last = new Array(count).fill(undefined);
    this.#queues = Array.from({ length: count }, () => new ReadyQueue());
    this.#sliceEnd = new Float64Array(count);
    this.#least = new Float64Array(count);
    this.#token = new Int32Array(count);
    this.#idle = new Uint8Array(count).fill(1);
    this.#idleCount = count;
  }

  /** Threads that wait for a processor. */
  get waiting(): number {
    return this.#queued;
  }

  /** @returns whether the thread slept: waking it took its waker a call. */
  wake(thread: Thread): boolean {
    if (thread.state !== ASLEEP) return false;
    const { now } = this.#engine;
    if (this.#idleCount > 0) {
      const cpu = this.#findIdle(thread.cpu);
      this.#leaveIdle(cpu);
      this.#place(thread, cpu);
      this.#start(cpu, thread, now + this.#config.wakeLatencyNs);
      return true;
    }
    const cpu = this.#findShort(thread.cpu);
    this.#place(thread, cpu);
    this.#enqueue(cpu, thread);
    const running = this.#current[cpu] as Thread;
    const had = running.state === POLLING ? running.vruntime + now - running.since : running.vruntime;
    if (had - thread.vruntime > this.#config.wakeAheadNs) this.#sliceEnd[cpu] = now;
    else if (this.#sliceEnd[cpu] < now) this.#renew(cpu, now);
    if (running.state === POLLING) this.#arm(cpu, Math.max(now, this.#sliceEnd[cpu]));
    return true;
  }

  /** Has a polling thread look now. One that is not on a processor looks when it gets there. */
  poke(thread: Thread): void {
    if (thread.state === POLLING) this.#arm(thread.cpu, this.#engine.now);
  }

  /** The thread on this processor has taken its time: what next? */
  fire(arg: number): void {
    const cpu = arg & CPU_MASK;
    if (arg >>> CPU_BITS !== this.#token[cpu]) return;
    const { now } = this.#engine;
    const thread = this.#current[cpu] as Thread;
    if (thread.state === POLLING) {
      this.#count(cpu, thread, now - thread.since);
      thread.state = RUNNING;
    }
    if (now >= this.#sliceEnd[cpu]) {
      if (this.#queues[cpu].length > 0 && !thread.isUrgent) {
        this.#enqueue(cpu, thread);
        this.#dispatch(cpu, now);
        return;
      }
      this.#renew(cpu, now);
    }
    const took = thread.step(now);
    if (took >= 0) {
      this.#count(cpu, thread, took);
      this.#arm(cpu, now + took);
    } else if (took === SLEEP) {
      thread.state = ASLEEP;
      thread.vruntime -= this.#least[cpu]; // what it had more than others goes with it
      this.#dispatch(cpu, now);
    } else if (took === POLL) {
      thread.state = POLLING;
      thread.since = now;
      if (this.#queues[cpu].length > 0) this.#arm(cpu, this.#sliceEnd[cpu]);
    }
  }

  #count(cpu: number, thread: Thread, took: number): void {
    this.busyNs[thread.role] += took;
    thread.vruntime += took;
    const queue = this.#queues[cpu];
    const had = queue.length > 0 ? Math.min(queue.first.vruntime, thread.vruntime) : thread.vruntime;
    if (had > this.#least[cpu]) this.#least[cpu] = had;
  }

  #arm(cpu: number, at: number): void {
    this.#token[cpu] = (this.#token[cpu] + 1) & TOKEN_MASK;
    this.#engine.schedule(at, this.#id, ((this.#token[cpu] << CPU_BITS) | cpu) >>> 0);
  }

  #renew(cpu: number, now: number): void {
    const slice = this.#config.sliceNs;
    this.#sliceEnd[cpu] += Math.ceil((now - this.#sliceEnd[cpu] + 1) / slice) * slice;
  }

  /** A sleeper's lead is kept, up to a slice; it is owed nothing. */
  #place(thread: Thread, cpu: number): void {
    thread.cpu = cpu;
    if (thread.isUrgent) {
      thread.vruntime = -Infinity;
      return;
    }
    thread.vruntime = this.#least[cpu] + Math.min(Math.max(0, thread.vruntime), this.#config.sliceNs);
  }

  #enqueue(cpu: number, thread: Thread): void {
    thread.state = READY;
    this.#queues[cpu].push(thread);
    this.#queued++;
  }

  #start(cpu: number, thread: Thread, at: number): void {
    this.#current[cpu] = thread;
    thread.state = RUNNING;
    let from = at;
    if (this.#last[cpu] !== thread) {
      this.#last[cpu] = thread;
      this.switches++;
      this.switchNs += this.#config.switchNs;
      from += this.#config.switchNs;
    }
    this.#sliceEnd[cpu] = from + this.#config.sliceNs;
    this.#arm(cpu, from);
  }

  #dispatch(cpu: number, now: number): void {
    const queue = this.#queues[cpu];
    if (queue.length > 0) {
      this.#queued--;
      this.#start(cpu, queue.pop(), now);
    } else if (this.#queued > 0) this.#start(cpu, this.#steal(cpu), now);
    else {
      this.#current[cpu] = undefined;
      this.#token[cpu] = (this.#token[cpu] + 1) & TOKEN_MASK;
      this.#idle[cpu] = 1;
      this.#idleCount++;
    }
  }

  #steal(cpu: number): Thread {
    const count = this.#queues.length;
    for (let i = 1; ; i++) {
      const other = (cpu + i) % count;
      if (this.#queues[other].length === 0) continue;
      const thread = this.#queues[other].pop();
      this.#queued--;
      thread.vruntime -= this.#least[other];
      this.#place(thread, cpu);
      return thread;
    }
  }

  #findIdle(last: number): number {
    if (this.#idle[last] === 1) return last;
    const count = this.#idle.length;
    for (let cpu = last + 1; cpu < count; cpu++) if (this.#idle[cpu] === 1) return cpu;
    return this.#idle.indexOf(1);
  }

  #leaveIdle(cpu: number): void {
    this.#idle[cpu] = 0;
    this.#idleCount--;
  }

  #findShort(last: number): number {
    let best = last;
    for (let look = 1; look < LOOKS; look++) {
      this.#turn = (this.#turn + 1) % this.#queues.length;
      if (this.#queues[this.#turn].length < this.#queues[best].length) best = this.#turn;
    }
    return best;
  }
}
