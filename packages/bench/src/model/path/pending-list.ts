import type { Packet } from './packet.ts';

/** A device's list of unanswered groups, in order. It tells how many stand before one: what a search walks past. What stands before
 * is what other handlers have in hand, one group each at a time; so a packet counts as one, whatever travels in it. A Fenwick tree
 * over slots, which are given out in order and laid out anew when they have run out. */
export class PendingList {
  #tree: Int32Array;
  #packets: (Packet | undefined)[];
  #next = 0;

  constructor(lgSlots = 12) {
    this.#tree = new Int32Array((1 << lgSlots) + 1);
    this.#packets = new Array(1 << lgSlots).fill(undefined);
  }

  append(packet: Packet): void {
    if (this.#next === this.#packets.length) this.#renumber();
    this.#put(this.#next++, packet);
  }

  /** @returns how many stand before this one. */
  before(packet: Packet): number {
    let sum = 0;
    for (let at = packet.slot; at > 0; at &= at - 1) sum += this.#tree[at];
    return sum;
  }

  remove(packet: Packet): void {
    this.#packets[packet.slot] = undefined;
    this.#add(packet.slot, -1);
  }

  #put(slot: number, packet: Packet): void {
    packet.slot = slot;
    this.#packets[slot] = packet;
    this.#add(slot, 1);
  }

  #add(slot: number, change: number): void {
    const tree = this.#tree;
    for (let at = slot + 1; at < tree.length; at += at & -at) tree[at] += change;
  }

  #renumber(): void {
    const live = this.#packets.filter((packet) => packet !== undefined);
    const slots = live.length * 2 > this.#packets.length ? this.#packets.length * 2 : this.#packets.length;
    this.#tree = new Int32Array(slots + 1);
    this.#packets = new Array(slots).fill(undefined);
    this.#next = 0;
    for (const packet of live) this.#put(this.#next++, packet);
  }
}
