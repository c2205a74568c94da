// From bytes to lines to words. Input may be anything: a line without an end takes no more memory than a line may have.

const MAX_LINE = 4096;
const WORD = /^(?:0x)?([0-9a-f]{1,16})$/i;

/** Cuts text into lines, which it numbers from 1. A line longer than 4096 characters is cut off there, and refused as a record. */
export class LineSplitter {
  readonly #onLine: (text: string, number: number) => void;
  readonly #decoder = new TextDecoder();
  #rest = '';
  #number = 0;

  constructor(onLine: (text: string, number: number) => void) {
    this.#onLine = onLine;
  }

  push(chunk: string | Uint8Array): void {
    const text = typeof chunk === 'string' ? chunk : this.#decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      this.#line(this.#rest + text.slice(from, end));
      this.#rest = '';
      from = end + 1;
    }
    if (this.#rest.length <= MAX_LINE) this.#rest += text.slice(from, from + MAX_LINE + 1);
  }

  /** The last line may lack its end. */
  end(): void {
    const rest = this.#rest + this.#decoder.decode();
    this.#rest = '';
    if (rest !== '') this.#line(rest);
  }

  #line(text: string): void {
    this.#onLine(text.length > MAX_LINE ? text.slice(0, MAX_LINE + 1) : text, ++this.#number);
  }
}

/** Reads a line's 64-bit words into `words`, low half first.
 * @param sizes how many 64-bit words a record may have.
 * @returns their count, 0 for a line without any, or a sentence that says why it is no record. */
export function parseLine(text: string, sizes: readonly number[], words: Int32Array): number | string {
  const comment = text.indexOf('#');
  const body = comment === -1 ? text : text.slice(0, comment);
  if (text.length > MAX_LINE && comment === -1) return `is longer than ${MAX_LINE} characters`;
  const tokens = body.split(/[\s,]+/).filter((token) => token !== '');
  if (tokens.length === 0) return 0;
  const wrong = tokens.findIndex((token) => !WORD.test(token));
  if (wrong !== -1) return `w${wrong} = ${quote(tokens[wrong])}: is no 64-bit hex word`;
  if (!sizes.includes(tokens.length))
    return `has ${tokens.length} ${tokens.length === 1 ? 'word' : 'words'} of 64 bits, a record ${sizes.join(' or ')}`;
  words.fill(0);
  tokens.forEach((token, at) => {
    const digits = (WORD.exec(token) as RegExpExecArray)[1];
    words[2 * at] = Number.parseInt(digits.slice(-8), 16);
    words[2 * at + 1] = Number.parseInt(digits.slice(0, -8) || '0', 16);
  });
  return tokens.length;
}

/** What is told on a terminal must not command it. */
function quote(token: string): string {
  const short = token.length > 24 ? `${token.slice(0, 24)}…` : token;
  return `"${short.replaceAll(/[^\x20-\x7e…]/g, '?')}"`;
}
