import type { ModelConfig } from '../config.ts';
import { costOf } from '../costs/schema.ts';
import { Fifo } from '../engine/fifo.ts';
import type { Processors } from '../machine/processors.ts';
import { SLEEP, Thread } from '../machine/thread.ts';
import type { Packet } from '../path/packet.ts';
import type { Devices, Hardware, Records } from './hardware.ts';
import { ProcessThread } from './process-thread.ts';
import { Stalls } from './stalls.ts';

/** Faults and commands of one turn. */
const BATCH = 32;

/** Hardware that is a thread among the others: commands first, then what stalls. */
export class HardwareThread extends Thread implements Hardware {
  readonly #processors: Processors;
  readonly #stalls: Stalls;
  readonly #records: Records;
  readonly #devices: Devices;
  readonly #recordNs: number;
  readonly #resumeNs: number;
  readonly #invalidateNs: number;
  readonly #batchNs: number;
  readonly #wakeNs: number;
  readonly #sleepNs: number;
  #asleep = true;
  readonly #commands: Fifo<Packet | ProcessThread> = new Fifo();
  readonly #written: Packet[] = [];
  readonly #done: (Packet | ProcessThread)[] = [];
  readonly #invalidations: boolean;
  invalidatingNs = 0;

  constructor(processors: Processors, config: ModelConfig, records: Records, devices: Devices) {
    super('hardware');
    this.#processors = processors;
    this.#records = records;
    this.#devices = devices;
    this.#stalls = new Stalls(config.threads, config.stallMax);
    this.#recordNs = costOf(config.costs, 'hardware.record');
    this.#resumeNs = costOf(config.costs, 'hardware.resume');
    this.#invalidateNs = costOf(config.costs, 'hardware.invalidate');
    this.#batchNs = costOf(config.costs, 'hardware.batch');
    this.#wakeNs = costOf(config.costs, 'thread.wake');
    this.#sleepNs = costOf(config.costs, 'hardware.sleep');
    this.#invalidations = config.invalidations;
  }

  post(packet: Packet): void {
    this.#stalls.add(packet);
  }
  roomMade(): void {
    this.#processors.wake(this);
  }
  answer(packet: Packet): void {
    this.#commands.push(packet);
  }
  publish(): boolean {
    return this.#processors.wake(this);
  }
  invalidate(thread: ProcessThread): number {
    if (!this.#invalidations) return 0;
    thread.syncs++;
    this.#commands.push(thread);
    return this.#processors.wake(this) ? this.#wakeNs : 0;
  }

  step(_now: number): number {
    if (this.#asleep && this.#sleepNs > 0) {
      this.#asleep = false;
      return this.#sleepNs;
    }
    let took = this.#finish();
    let left = BATCH;
    while (left > 0 && this.#commands.length > 0) {
      const command = this.#commands.take();
      this.#done.push(command);
      if (command instanceof ProcessThread) {
        took += this.#invalidateNs;
        this.invalidatingNs += this.#invalidateNs;
        left--;
      } else {
        took += this.#resumeNs * command.count;
        left -= command.count;
      }
    }
    let room = this.#records.room();
    for (left = BATCH; left > 0; ) {
      const packet = this.#stalls.next(room);
      if (packet === undefined) break;
      this.#written.push(packet);
      took += this.#recordNs * packet.count;
      room -= packet.count;
      left -= packet.count;
    }
    const isIdle = this.#done.length === 0 && this.#written.length === 0;
    if (!isIdle) return took + this.#batchNs;
    if (took > 0) return took;
    this.#asleep = true;
    return SLEEP;
  }

  /** What the turn before did can be seen now. @returns what waking others took. */
  #finish(): number {
    let took = 0;
    for (const packet of this.#written) this.#records.push(packet);
    this.#written.length = 0;
    for (const command of this.#done) {
      if (command instanceof ProcessThread) {
        command.syncs--;
        if (this.#processors.wake(command)) took += this.#wakeNs;
      } else {
        this.#stalls.end(command);
        this.#devices.resume(command);
      }
    }
    this.#done.length = 0;
    return took;
  }
}
