/** Reads the parts of one line, byte by byte, without a string. A read that fails leaves the place where it was, or anywhere behind. */
export class Cursor {
  text: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  /** What the last number was. */
  value = 0;

  set(text: Uint8Array, start: number, end: number): void {
    this.text = text;
    this.at = start;
    this.end = end;
  }

  isAtEnd(): boolean {
    return this.at >= this.end;
  }

  skipSpaces(): void {
    while (this.at < this.end && isSpace(this.text[this.at])) this.at++;
  }

  /** @param wanted bytes of the text that must stand here. */
  take(wanted: Uint8Array): boolean {
    const { text, at } = this;
    const { length } = wanted;
    if (at + length > this.end) return false;
    for (let i = 0; i < length; i++) if (text[at + i] !== wanted[i]) return false;
    this.at = at + length;
    return true;
  }

  takeByte(wanted: number): boolean {
    if (this.at >= this.end || this.text[this.at] !== wanted) return false;
    this.at++;
    return true;
  }

  /** Takes hexadecimal digits into `value`. @returns false where there is none, or the number is larger. */
  takeHex(max: number): boolean {
    const { text, end, at: start } = this;
    let at = start;
    let value = 0;
    for (; at < end; at++) {
      const digit = HEX_DIGITS[text[at]];
      if (digit < 0) break;
      value = value * 16 + digit;
      if (value > max) return false;
    }
    this.at = at;
    this.value = value;
    return at > start;
  }

  /** Takes decimal digits into `value`, likewise. */
  takeDecimal(max: number): boolean {
    const { text, end, at: start } = this;
    let at = start;
    let value = 0;
    for (; at < end; at++) {
      const digit = text[at] - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      if (value > max) return false;
    }
    this.at = at;
    this.value = value;
    return at > start;
  }

  /** Takes `seconds.fraction` as nanoseconds into `value`; without a fraction it counts nanoseconds itself (the clocks that print none). */
  takeTime(): boolean {
    if (!this.takeDecimal(Number.MAX_SAFE_INTEGER)) return false;
    const whole = this.value;
    if (!this.takeByte(POINT)) return true;
    const start = this.at;
    if (!this.takeDecimal(999_999_999)) return false;
    const digits = this.at - start;
    if (digits > 9) return false;
    this.value = whole * 1e9 + this.value * TENS[9 - digits];
    return true;
  }
}

const ZERO = 48;
const POINT = 46;
const TENS: readonly number[] = Array.from({ length: 10 }, (_, power) => 10 ** power);

export function isSpace(byte: number): boolean {
  return byte === 32 || byte === 9;
}

export function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 57;
}

/** By byte: the digit's value, -1 for what is none. */
const HEX_DIGITS: Int8Array = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value++)
  for (const letter of [value.toString(16), value.toString(16).toUpperCase()]) HEX_DIGITS[letter.charCodeAt(0)] = value;

export function isHexDigit(byte: number): boolean {
  return HEX_DIGITS[byte] >= 0;
}

/** Text to compare bytes with. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
