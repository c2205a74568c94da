import { ERRNO, type ErrnoName } from './errno.ts';

/** A refusal. Says which call, which field and which value, in that order. */
export class IommuError extends Error {
  override readonly name = 'IommuError';
  /** Linux's name of the code, e.g. `EINVAL`. */
  readonly code: ErrnoName;
  /** Linux's number of the code, positive. */
  readonly errno: number;
  /** The call that refused. */
  readonly call: string;
  /** The argument or record field that was refused. */
  readonly field: string;
  /** What it held. */
  readonly value: unknown;

  constructor(code: ErrnoName, call: string, field: string, value: unknown, why: string) {
    super(`${call}: ${field} = ${show(value)}: ${why} (${code})`);
    this.code = code;
    this.errno = ERRNO[code];
    this.call = call;
    this.field = field;
    this.value = value;
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return String(value);
}
