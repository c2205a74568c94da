import { Histogram } from './engine/histogram.ts';
import type { Packet } from './path/packet.ts';

/** What is counted while a simulation runs. Cleared when the warm-up ends. */
export class Stats {
  posted = 0;
  answered = 0;
  refaults = 0;
  jobs = 0;
  rounds = 0;
  timeouts = 0;
  populated = 0;
  restored = 0;
  taken = 0;
  discarded = 0;
  invalidations = 0;
  scans = 0;
  lockMisses = 0;
  hints = 0;
  latency: Histogram = new Histogram();
  jobTime: Histogram = new Histogram();
  // Time of faults, by stage.
  queueNs = 0;
  groupNs = 0;
  workNs = 0;
  handlerNs = 0;
  responseNs = 0;

  /** All of a packet's faults have been resumed. */
  resumed(packet: Packet, now: number): void {
    const { count } = packet;
    this.answered += count;
    this.latency.record(now - packet.postedAt, count);
    this.queueNs += (packet.readAt - packet.postedAt) * count;
    this.groupNs += (packet.queuedAt - packet.readAt) * count;
    this.workNs += (packet.takenAt - packet.queuedAt) * count;
    this.handlerNs += (packet.handledAt - packet.takenAt) * count;
    this.responseNs += (now - packet.handledAt) * count;
  }

  clear(): void {
    Object.assign(this, new Stats());
  }
}
