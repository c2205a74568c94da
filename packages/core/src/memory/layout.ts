// Layout tables: what each word of a shared structure is, for documents, tests and dumps. Hot code uses plain constants,
// which a test holds against the table.
import { checkInteger, IommuError } from '../errors/index.ts';
import { LINE } from '../sync/thread-self.ts';

export interface LayoutField {
  readonly name: string;
  /** In words from the structure's base. */
  readonly offset: number;
  /** In words. */
  readonly width: number;
  readonly unit: string;
  /** Who stores to it once it is shared: `init` for what is never stored to again. Other writers' fields are on other lines. */
  readonly writer: string;
}

export interface Layout {
  readonly name: string;
  readonly fields: readonly LayoutField[];
  /** Words up to the end of the last field. */
  readonly words: number;
}

/** Checks a table and gives it back: ascending, without overlap, and no line written from two sides.
 * @throws IommuError EINVAL naming the field. */
export function defineLayout(name: string, fields: readonly LayoutField[]): Layout {
  let end = 0;
  let previous: LayoutField | undefined;
  for (const field of fields) {
    const call = `defineLayout(${name})`;
    checkInteger(call, `${field.name}.width`, field.width, 1, 2 ** 30);
    checkInteger(call, `${field.name}.offset`, field.offset, 0, 2 ** 30);
    if (field.offset < end)
      throw new IommuError('EINVAL', call, `${field.name}.offset`, field.offset, `overlaps what ends at ${end}`);
    if (previous !== undefined && previous.writer !== field.writer && lineOf(end - 1) === lineOf(field.offset))
      throw new IommuError('EINVAL', call, `${field.name}.offset`, field.offset, `shares a line with ${previous.name}`);
    end = field.offset + field.width;
    previous = field;
  }
  return { name, fields, words: end };
}

/** Word offset of a field. @throws IommuError ENOENT */
export function layoutOffset(layout: Layout, field: string): number {
  for (const { name, offset } of layout.fields) if (name === field) return offset;
  throw new IommuError('ENOENT', `layoutOffset(${layout.name})`, 'field', field, 'no such field');
}

/** The table as text, one field a line. */
export function describeLayout(layout: Layout): string {
  const rows = [
    ['field', 'offset', 'width', 'unit', 'writer'],
    ...layout.fields.map(({ name, offset, width, unit, writer }) => [name, `${offset}`, `${width}`, unit, writer]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [`${layout.name}: ${layout.words} words`, ...lines].join('\n');
}

function lineOf(offset: number): number {
  return Math.floor(offset / LINE);
}
