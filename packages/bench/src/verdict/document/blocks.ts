// A document before it is Markdown, HTML or text on a terminal. Texts are Markdown's least: `code` alone.

export type Block =
  | { readonly kind: 'heading'; readonly level: 1 | 2 | 3; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | { readonly kind: 'code'; readonly text: string }
  | TableBlock
  | PlotBlock;

export interface TableBlock {
  readonly kind: 'table';
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns of words; the others are figures. */
  readonly words: number;
}

export interface PlotBlock {
  readonly kind: 'plot';
  /** Its file, without ending. */
  readonly name: string;
  /** What it shows, for those who do not see it. */
  readonly alt: string;
  readonly svg: string;
}

export const heading = (level: 1 | 2 | 3, text: string): Block => ({ kind: 'heading', level, text });
export const text = (words: string): Block => ({ kind: 'text', text: words });
export const list = (items: readonly string[]): Block => ({ kind: 'list', items });
export const plot = (name: string, alt: string, svg: string): Block => ({ kind: 'plot', name, alt, svg });

/** @param words how many columns from the left are words. */
export function table(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  words = 1,
): TableBlock {
  return { kind: 'table', title, head, rows, words };
}
