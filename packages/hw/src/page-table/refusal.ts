// Refusals of map and its siblings whose codes Linux takes from beyond those that the fault path uses.

/** What each code means here. Numbers are Linux's (asm-generic). */
const CODES = {
  /** No page size fits addresses and length. */
  ENXIO: 6,
  /** An address is wider than the format or the table. */
  ERANGE: 34,
  /** Something is mapped there already. */
  EADDRINUSE: 98,
} as const;

export type PageTableErrorCode = keyof typeof CODES;

/** A refusal, in the shape of core's IommuError: which call, which argument, which value. */
export class PageTableError extends Error {
  override readonly name = 'PageTableError';
  readonly code: PageTableErrorCode;
  /** Linux's number of the code, positive. */
  readonly errno: number;
  readonly call: string;
  readonly field: string;
  readonly value: unknown;

  constructor(code: PageTableErrorCode, call: string, field: string, value: unknown, why: string) {
    super(`${call}: ${field} = ${String(value)}: ${why} (${code})`);
    this.code = code;
    this.errno = CODES[code];
    this.call = call;
    this.field = field;
    this.value = value;
  }
}
