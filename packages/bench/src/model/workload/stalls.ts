import { Fifo } from '../engine/fifo.ts';
import type { Packet } from '../path/packet.ts';

/** Packets that are not recorded yet. Threads take turns, a packet each, as ports do. */
export class Stalls {
  readonly #ports: Fifo<Packet>[];
  readonly #turns: Fifo<number> = new Fifo();
  /** Faults that may yet be recorded and unanswered at once. */
  #credits: number;

  constructor(threads: number, stallMax: number) {
    this.#ports = Array.from({ length: threads }, () => new Fifo<Packet>());
    this.#credits = stallMax;
  }

  add(packet: Packet): void {
    const port = this.#ports[packet.thread];
    if (port.length === 0) this.#turns.push(packet.thread);
    port.push(packet);
  }

  /** Takes the packet whose turn it is, if it finds room. */
  next(room: number): Packet | undefined {
    if (this.#turns.length === 0) return undefined;
    const port = this.#ports[this.#turns.peek()];
    const { count } = port.peek();
    if (count > room || count > this.#credits) return undefined;
    this.#credits -= count;
    const thread = this.#turns.take();
    const packet = port.take();
    if (port.length > 0) this.#turns.push(thread);
    return packet;
  }

  /** A recorded packet has its answer. */
  end(packet: Packet): void {
    this.#credits += packet.count;
  }
}
