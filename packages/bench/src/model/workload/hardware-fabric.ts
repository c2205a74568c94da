import type { ModelConfig } from '../config.ts';
import { costOf } from '../costs/schema.ts';
import type { Engine, Target } from '../engine/engine.ts';
import { Fifo } from '../engine/fifo.ts';
import type { Packet } from '../path/packet.ts';
import type { Devices, Hardware, Records } from './hardware.ts';
import { Stalls } from './stalls.ts';

const RECORDED = 0;
const RESUMED = 1;

/** Hardware that takes no processor: one writer of records, one reader of commands, each in order. */
export class FabricHardware implements Hardware, Target {
  readonly #engine: Engine;
  readonly #id: number;
  readonly #stalls: Stalls;
  readonly #records: Records;
  readonly #devices: Devices;
  readonly #recordNs: number;
  readonly #resumeNs: number;
  readonly #invalidateNs: number;
  readonly #syncNs: number;
  readonly #commands: Fifo<Packet> = new Fifo();
  readonly #invalidations: boolean;
  #writing: Packet | undefined;
  #commandsFreeAt = 0;
  invalidatingNs = 0;

  constructor(engine: Engine, config: ModelConfig, records: Records, devices: Devices) {
    this.#engine = engine;
    this.#id = engine.register(this);
    this.#records = records;
    this.#devices = devices;
    this.#stalls = new Stalls(config.threads, config.stallMax);
    this.#recordNs = costOf(config.costs, 'hardware.record');
    this.#resumeNs = costOf(config.costs, 'hardware.resume');
    this.#invalidateNs = costOf(config.costs, 'hardware.invalidate');
    this.#syncNs = costOf(config.costs, 'hardware.sync');
    this.#invalidations = config.invalidations;
  }

  post(packet: Packet): void {
    this.#stalls.add(packet);
    this.#write();
  }

  roomMade(): void {
    this.#write();
  }

  #write(): void {
    if (this.#writing !== undefined) return;
    this.#writing = this.#stalls.next(this.#records.room());
    if (this.#writing === undefined) return;
    this.#engine.schedule(this.#engine.now + this.#recordNs * this.#writing.count, this.#id, RECORDED);
  }

  answer(packet: Packet): void {
    const start = Math.max(this.#engine.now, this.#commandsFreeAt);
    this.#commandsFreeAt = start + this.#resumeNs * packet.count;
    this.#commands.push(packet);
    this.#engine.schedule(this.#commandsFreeAt, this.#id, RESUMED);
  }

  publish(): boolean {
    return false;
  }

  /** Its issuer looks on: Linux polls the queue's consumer index. */
  invalidate(): number {
    if (!this.#invalidations) return 0;
    const { now } = this.#engine;
    const start = Math.max(now, this.#commandsFreeAt);
    this.#commandsFreeAt = start + this.#invalidateNs;
    this.invalidatingNs += this.#invalidateNs;
    return this.#commandsFreeAt + this.#syncNs - now;
  }

  fire(what: number): void {
    if (what === RECORDED) {
      const packet = this.#writing as Packet;
      this.#writing = undefined;
      this.#records.push(packet);
    } else {
      const packet = this.#commands.take();
      this.#stalls.end(packet);
      this.#devices.resume(packet);
    }
    this.#write();
  }
}
