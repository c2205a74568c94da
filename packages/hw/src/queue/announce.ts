import { LINE, type Words } from '@faultline/core/sync';

// An announce bitmap: a bit for each port or command queue. Whoever publishes sets its bit afterwards, so that hundreds of idle ones cost the
// hardware nothing.

/** Ports that an announce word covers. Announce words stand a line apart: each has up to 32 threads as writers. */
export const PORTS_PER_ANNOUNCE = 32;

export const NO_PORT = -1;

/** Words of the bitmap of `ports` ports: whole lines. */
export function announceWords(ports: number): number {
  return Math.ceil(ports / PORTS_PER_ANNOUNCE) * LINE;
}

/** Word offset of the announce word that covers `port`. */
export function announceWord(announceBase: number, port: number): number {
  return announceBase + Math.floor(port / PORTS_PER_ANNOUNCE) * LINE;
}

/** `port`'s bit in that word. */
export function announceBit(port: number): number {
  return 1 << (port % PORTS_PER_ANNOUNCE);
}

/** The hardware's side of a bitmap. The edges [C] or [A] that a bit is one end of are named where the ports are. */
export class Announcements {
  readonly #words: Words;
  readonly #base: number;
  readonly #end: number;
  readonly #count: number;
  #at: number; // announce word to look at next
  #bits = 0; // taken and not handed out
  #first = 0; // port of their bit 0

  constructor(words: Words, base: number, count: number) {
    this.#words = words;
    this.#base = base;
    this.#end = base + announceWords(count);
    this.#count = count;
    this.#at = base;
  }

  /** Takes the announcements one by one. @returns a port that has announced itself, or NO_PORT when every word was looked at once. */
  next(): number {
    while (this.#bits !== 0 || this.#takeWord()) {
      const bits = this.#bits;
      this.#bits = bits & (bits - 1);
      const port = this.#first + 31 - Math.clz32(bits & -bits);
      if (port < this.#count) return port; // a bit beyond them is nobody's
    }
    return NO_PORT;
  }

  /** Whether a port has announced itself since. */
  pending(): boolean {
    for (let at = this.#base; at < this.#end; at += LINE) if (Atomics.load(this.#words, at) !== 0) return true;
    return false;
  }

  /** @returns whether a word from the next one on has bits; if not, the first is the next again. */
  #takeWord(): boolean {
    for (let at = this.#at; at < this.#end; at += LINE) {
      if (Atomics.load(this.#words, at) === 0) continue;
      this.#bits = Atomics.exchange(this.#words, at, 0); // [C]
      this.#first = ((at - this.#base) / LINE) * PORTS_PER_ANNOUNCE;
      this.#at = at + LINE;
      return true;
    }
    this.#at = this.#base;
    return false;
  }
}
