// A simulation's faults as a Perfetto trace, in virtual time. A packet of faults is one flow: at grain 1 it is one fault.
import type { ModelConfig } from '../../model/index.ts';
import type { FaultWatch } from '../../model/workload/watched-jobs.ts';
import { RunTracks } from '../cell-tracks.ts';
import type { TraceFile } from '../trace-file.ts';
import { Sorted } from './sorted.ts';

type Packet = Parameters<FaultWatch['stalled']>[0];

/** A packet on its way. */
interface Way {
  readonly flow: bigint;
  readonly thread: number;
  readonly device: number;
  readonly count: number;
  readonly stalledAt: number;
  isOver: boolean;
}

const EVENT_QUEUE = 0;
const DOMAIN = 1;

export class ModelTrace implements FaultWatch {
  readonly #file: TraceFile;
  readonly #tracks: RunTracks;
  readonly #fromNs: number;
  readonly #sorted: Sorted = new Sorted();
  /** Packets in the order they stalled in, from {@link #oldest}: nothing before the oldest one that is out can turn up any more. */
  #ways: Way[] = [];
  #oldest = 0;
  readonly #under: Map<Packet, Way> = new Map();
  readonly #stalledOf: Map<number, number> = new Map();
  readonly #outstanding: Int32Array; // by device from 1; 0: all
  readonly #inHand: (Way | undefined)[];
  readonly #waiting: Way[][];
  #queued = 0;
  #pending = 0;
  #order = 0;
  #now: number;
  /** Faults that stalled, and those of them that were resumed. */
  stalledFaults = 0;
  resumedFaults = 0;

  /** What stalls in the warm-up is left out. */
  constructor(file: TraceFile, config: ModelConfig) {
    this.#file = file;
    const { devices, handlers, threads, generation } = config;
    this.#tracks = new RunTracks(file, {
      ...{ devices, handlers, deviceThreads: threads, queues: [{ name: 'event-queue', host: 'interrupt' }] },
      deviceOf: (thread) => (thread % devices) + 1,
    });
    this.#outstanding = new Int32Array(devices + 1);
    this.#inHand = new Array<undefined>(handlers).fill(undefined);
    this.#waiting = this.#inHand.map(() => []);
    this.#fromNs = config.warmupSeconds * 1e9;
    this.#now = this.#fromNs;
    file.begin(this.#tracks.cells, this.#fromNs, `${generation}, ${threads} threads, simulated`, {
      notes: { generation, threads, processors: config.processors, grain: config.grain },
    });
  }

  stalled(packet: Packet, now: number): void {
    if (now < this.#fromNs) return;
    this.stalledFaults += packet.count;
    const { thread, device, count } = packet;
    const flow = BigInt(++this.#order);
    const way: Way = { flow, thread, device: device + 1, count, stalledAt: now, isOver: false };
    this.#ways.push(way);
    this.#under.set(packet, way);
    this.#put(now, (ns) => this.#stall(way, ns));
  }

  resumed(packet: Packet, now: number): void {
    if (packet.postedAt < this.#fromNs) return;
    this.resumedFaults += packet.count;
    const way = this.#under.get(packet);
    if (way === undefined) throw new Error('ModelTrace: a packet was resumed that never stalled');
    this.#under.delete(packet);
    way.isOver = true;
    const { handler, handledAt } = packet;
    this.#put(packet.readAt, (ns) => this.#level(EVENT_QUEUE, ns, -way.count));
    this.#put(packet.queuedAt, (ns) => this.#report(way, ns));
    this.#put(packet.takenAt, (ns) => this.#take(way, handler, ns));
    this.#put(handledAt, (ns) => this.#handled(way, handler, ns));
    this.#put(now, (ns) => this.#resume(way, ns));
    while (this.#oldest < this.#ways.length && this.#ways[this.#oldest].isOver) this.#oldest++;
    const bound = this.#oldest < this.#ways.length ? this.#ways[this.#oldest].stalledAt : now;
    if (2 * this.#oldest > this.#ways.length) {
      this.#ways = this.#ways.slice(this.#oldest);
      this.#oldest = 0;
    }
    this.#sorted.writeUntil(bound);
  }

  /** The simulation has ended. What is still out has no end. */
  close(): void {
    this.#sorted.writeUntil(Number.POSITIVE_INFINITY);
    for (const [handler, way] of this.#inHand.entries())
      if (way !== undefined) this.#file.end(this.#tracks.handlers[handler], this.#now);
    for (const [thread, count] of this.#stalledOf)
      if (count > 0) this.#file.end(this.#tracks.thread(thread), this.#now);
    this.#file.end(this.#tracks.cells, this.#now);
  }

  #put(at: number, write: (ns: number) => void): void {
    const told = (ns: number): void => {
      this.#now = ns;
      write(ns);
    };
    this.#sorted.put({ ns: Math.round(at), order: ++this.#order, write: told });
  }

  #stall(way: Way, ns: number): void {
    const track = this.#tracks.thread(way.thread);
    const before = this.#stalledOf.get(way.thread) ?? 0;
    if (before === 0) this.#file.begin(track, ns, 'stalled');
    this.#stalledOf.set(way.thread, before + way.count);
    this.#file.instant(track, ns, 'stall', { flow: way.flow, ...faultsOf(way) });
    this.#changed(way, ns, way.count);
    this.#level(EVENT_QUEUE, ns, way.count);
  }

  #report(way: Way, ns: number): void {
    this.#file.instant(this.#tracks.interrupt, ns, 'report', { flow: way.flow });
    this.#pending += way.count;
    this.#file.count(this.#tracks.pending(DOMAIN), ns, this.#pending);
  }

  /** A batch is taken at once, and handled one after the other. */
  #take(way: Way, handler: number, ns: number): void {
    if (this.#inHand[handler] === undefined) this.#begin(way, handler, ns);
    else this.#waiting[handler].push(way);
  }
  #begin(way: Way, handler: number, ns: number): void {
    this.#inHand[handler] = way;
    this.#file.begin(this.#tracks.handlers[handler], ns, `handle device ${way.device}`, { flow: way.flow });
  }
  #handled(way: Way, handler: number, ns: number): void {
    if (this.#inHand[handler] !== way) throw new Error(`ModelTrace: handler ${handler} handled what was not next`);
    this.#inHand[handler] = undefined;
    this.#file.end(this.#tracks.handlers[handler], ns);
    this.#pending -= way.count;
    this.#file.count(this.#tracks.pending(DOMAIN), ns, this.#pending);
    const next = this.#waiting[handler].shift();
    if (next !== undefined) this.#begin(next, handler, ns);
  }

  #resume(way: Way, ns: number): void {
    const track = this.#tracks.thread(way.thread);
    this.#file.instant(track, ns, 'resume', { flow: way.flow, ends: true });
    const left = (this.#stalledOf.get(way.thread) ?? 0) - way.count;
    this.#stalledOf.set(way.thread, left);
    if (left === 0) this.#file.end(track, ns);
    this.#changed(way, ns, -way.count);
  }

  #changed({ device }: Way, ns: number, change: number): void {
    this.#outstanding[0] += change;
    this.#outstanding[device] += change;
    this.#file.count(this.#tracks.outstanding, ns, this.#outstanding[0]);
    this.#file.count(this.#tracks.outstandingOf[device - 1], ns, this.#outstanding[device]);
  }

  /** Faults before the interrupt thread: the queue's, and those that find no room in it. */
  #level(queue: number, ns: number, change: number): void {
    this.#queued += change;
    this.#file.count(this.#tracks.fill(queue), ns, this.#queued);
  }
}

function faultsOf({ count }: Way): { notes?: Record<string, number> } {
  return count === 1 ? {} : { notes: { faults: count } };
}
