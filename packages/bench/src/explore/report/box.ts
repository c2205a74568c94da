// A table of tall cells. One that measures each cell anew for each of its lines takes half a minute for a hundred steps.
import { stripVTControlCharacters } from 'node:util';

/** A cell: its lines, broken already, with escape codes or without. */
export type Lines = readonly string[];

/** @param head one line a column; the first column stands to the right.
 * @returns the table, ruled between rows, without a line feed at its end. */
export function boxTable(head: readonly string[], rows: readonly (readonly Lines[])[]): string {
  const all = [head.map((text): Lines => [text]), ...rows];
  const widths = head.map((_, column) => Math.max(...all.flatMap((row) => row[column].map(widthOf))));
  const rule = (left: string, between: string, right: string): string =>
    left + widths.map((width) => '─'.repeat(width + 2)).join(between) + right;
  const page = [rule('┌', '┬', '┐')];
  for (const [at, row] of all.entries()) {
    if (at > 0) page.push(rule('├', '┼', '┤'));
    const height = Math.max(...row.map((lines) => lines.length));
    for (let line = 0; line < height; line++) {
      const cells = row.map((lines, column) => pad(lines[line] ?? '', widths[column], column === 0));
      page.push(`│ ${cells.join(' │ ')} │`);
    }
  }
  page.push(rule('└', '┴', '┘'));
  return page.join('\n');
}

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

function pad(text: string, width: number, right: boolean): string {
  const spaces = ' '.repeat(width - widthOf(text));
  return right ? spaces + text : text + spaces;
}
