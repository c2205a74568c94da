/** Devices that a trace may name: more is taken for a damaged trace, so that one cannot fill the memory. */
export const MAX_DEVICES = 4096;
const MAX_NAME_BYTES = 128;
export const NO_NAME = -1;

/** Numbers for device names, in the order in which they appear. A name that was seen before costs no string. */
export class DeviceNames {
  readonly #bytes: Uint8Array[] = [];
  readonly #names: string[] = [];
  readonly #byHash: Map<number, number[]> = new Map();
  #last: number = NO_NAME;

  get count(): number {
    return this.#names.length;
  }

  name(device: number): string {
    return this.#names[device];
  }

  /** @returns the number of the name in `text` from `start` to `end`, or NO_NAME: it is too long, or one too many. */
  number(text: Uint8Array, start: number, end: number): number {
    if (this.#last !== NO_NAME && isSame(this.#bytes[this.#last], text, start, end)) return this.#last;
    if (end - start > MAX_NAME_BYTES) return NO_NAME;
    let hash = 0x811c9dc5; // FNV-1a
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ text[at], 0x01000193);
    const bucket = this.#byHash.get(hash);
    if (bucket !== undefined)
      for (let i = 0; i < bucket.length; i++)
        if (isSame(this.#bytes[bucket[i]], text, start, end)) {
          this.#last = bucket[i];
          return this.#last;
        }
    if (this.#names.length === MAX_DEVICES) return NO_NAME;
    const bytes = text.slice(start, end);
    const device = this.#names.push(new TextDecoder('latin1').decode(bytes)) - 1;
    this.#bytes.push(bytes);
    if (bucket === undefined) this.#byHash.set(hash, [device]);
    else bucket.push(device);
    this.#last = device;
    return device;
  }
}

function isSame(name: Uint8Array, text: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) if (name[i] !== text[start + i]) return false;
  return true;
}
