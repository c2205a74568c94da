import type { Decoded } from './queue.ts';

/** A record as a table. Columns without borders: cli-table3's cost takes 100,000 records from seconds to minutes. */
export function recordTable({ kind, fields, errors }: Decoded, line: number): string {
  const rows = fields.map(({ name, bits, value, meaning }) => [name, bits, showValue(value), meaning]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = [`line ${line}: ${kind || 'unknown'}`];
  for (const row of rows)
    lines.push(`  ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd());
  for (const error of errors) lines.push(`  error: ${error}`);
  return `${lines.join('\n')}\n\n`;
}

/** The same as an object, for programs. */
export function recordJson({ kind, fields, errors }: Decoded): string {
  const values = Object.fromEntries(fields.map(({ name, value }) => [name, value]));
  return `${JSON.stringify({ kind, fields: values, errors })}\n`;
}

function showValue(value: number | string): string {
  return typeof value === 'string' ? value : value < 10 ? String(value) : `0x${value.toString(16)}`;
}
