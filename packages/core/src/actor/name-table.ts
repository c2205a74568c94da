import { checkInteger, IommuError } from '../errors/index.ts';

/** Names as numbers from 1, in one order on every thread, so that no string crosses a ring. 0 is nothing. */
export class NameTable {
  /** What the names are, for messages: `event` or `state`. */
  readonly kind: string;
  /** Name of code i at i - 1. */
  readonly names: readonly string[];
  #codes: Map<string, number>;

  /** @param own names of the user's, after ours. @throws IommuError EINVAL on an empty or repeated name. */
  constructor(kind: string, ours: readonly string[], own: readonly string[] = []) {
    this.kind = kind;
    this.names = [...ours, ...own];
    this.#codes = new Map();
    for (const name of this.names) {
      if (typeof name !== 'string' || name === '')
        throw new IommuError('EINVAL', 'NameTable', kind, name, 'must be a name');
      if (this.#codes.has(name)) throw new IommuError('EINVAL', 'NameTable', kind, name, 'is in the table already');
      this.#codes.set(name, this.#codes.size + 1);
    }
  }

  has(name: string): boolean {
    return this.#codes.has(name);
  }

  /** @throws IommuError ENOENT for a name that is not in the table. */
  code(name: string): number {
    const code = this.#codes.get(name);
    if (code === undefined)
      throw new IommuError('ENOENT', 'NameTable.code', this.kind, name, `no such ${this.kind}: name it at start`);
    return code;
  }

  /** @throws IommuError EINVAL for a number that is no code. */
  name(code: number): string {
    return this.names[checkInteger('NameTable.name', this.kind, code, 1, this.names.length) - 1];
  }
}
