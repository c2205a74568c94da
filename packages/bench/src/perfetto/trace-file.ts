import { closeSync, openSync, writeSync } from 'node:fs';
import { INSTANT, Packets, SLICE_BEGIN, SLICE_END, type TrackSpec } from './packets.ts';

const CHUNK_BYTES = 1 << 18;

/** What may come with the beginning of a slice, or with an instant. */
export interface EventParts {
  /** A fault's way: the same number wherever it passes, of no other fault in the file. */
  readonly flow?: bigint | undefined;
  /** The way ends here. */
  readonly ends?: boolean | undefined;
  readonly notes?: Readonly<Record<string, number | string>> | undefined;
}

/** What writes a Perfetto trace needs no more than this. Times are nanoseconds, whole, of one clock, and never go back. Slices of a track
 * nest: an end is that of the youngest one open. */
export interface TraceFile {
  /** @returns the number of a new track, under another one or at the top, behind those made before. */
  track(name: string, parent?: number): number;
  /** @returns the number of a new counter track. @param counts what is counted, e.g. `faults`. */
  counter(name: string, counts: string, parent?: number): number;
  begin(track: number, ns: number, name: string, parts?: EventParts): void;
  end(track: number, ns: number): void;
  instant(track: number, ns: number, name: string, parts?: EventParts): void;
  /** A counter's value from now on. */
  count(track: number, ns: number, value: number): void;
}

/** A file of TrackEvent packets, written as they come: a trace may be larger than memory. */
export class PerfettoFile implements TraceFile {
  readonly #fd: number;
  readonly #packets: Packets = new Packets();
  readonly #chunk: Uint8Array = new Uint8Array(CHUNK_BYTES);
  #filled = 0;
  #tracks = 0;
  /** Bytes written, or about to be. */
  bytes = 0;

  /** @throws what the file system says. */
  constructor(path: string) {
    this.#fd = openSync(path, 'w');
  }

  track(name: string, parent?: number): number {
    return this.#track({ name, parent, rank: this.#tracks });
  }
  counter(name: string, counts: string, parent?: number): number {
    return this.#track({ name, parent, rank: this.#tracks, counts });
  }
  #track(spec: TrackSpec): number {
    this.#put(this.#packets.track(++this.#tracks, spec));
    return this.#tracks;
  }

  begin(track: number, ns: number, name: string, parts?: EventParts): void {
    this.#put(this.#packets.event(ns, { track, type: SLICE_BEGIN, name, ...parts }));
  }
  end(track: number, ns: number): void {
    this.#put(this.#packets.event(ns, { track, type: SLICE_END }));
  }
  instant(track: number, ns: number, name: string, parts?: EventParts): void {
    this.#put(this.#packets.event(ns, { track, type: INSTANT, name, ...parts }));
  }
  count(track: number, ns: number, value: number): void {
    this.#put(this.#packets.count(ns, track, value));
  }

  #put(packet: Uint8Array): void {
    if (packet.length > CHUNK_BYTES - this.#filled) this.flush();
    this.bytes += packet.length;
    if (packet.length > CHUNK_BYTES) {
      this.#write(packet);
      return;
    }
    this.#chunk.set(packet, this.#filled);
    this.#filled += packet.length;
  }

  /** Writes out what is kept. @throws what the file system says. */
  flush(): void {
    this.#write(this.#chunk.subarray(0, this.#filled));
    this.#filled = 0;
  }

  #write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
  }

  close(): void {
    this.flush();
    closeSync(this.#fd);
  }
}
