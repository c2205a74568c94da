import type { ModelConfig } from '../config.ts';
import type { Random } from '../engine/random.ts';
import type { Packet } from '../path/packet.ts';
import type { Stats } from '../stats.ts';
import { Jobs } from './jobs.ts';
import type { Pages } from './pages.ts';

/** Who is told of every packet of faults, in virtual time. The packet is read during the call: it is used again. */
export interface FaultWatch {
  stalled(packet: Readonly<Packet>, now: number): void;
  /** All its stages have their times. */
  resumed(packet: Readonly<Packet>, now: number): void;
}

/** Jobs that somebody watches. Without, they are {@link Jobs}, which ask nobody. */
export class WatchedJobs extends Jobs {
  readonly #watch: FaultWatch;

  constructor(config: ModelConfig, stats: Stats, pages: Pages, random: Random, watch: FaultWatch) {
    super(config, stats, pages, random);
    this.#watch = watch;
  }

  override stall(thread: number, now: number, post: (packet: Packet) => void): number {
    return super.stall(thread, now, (packet) => {
      this.#watch.stalled(packet, now);
      post(packet);
    });
  }

  override resume(packet: Packet, now: number): boolean {
    this.#watch.resumed(packet, now);
    return super.resume(packet, now);
  }
}
