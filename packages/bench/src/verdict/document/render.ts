import Table from 'cli-table3';
import { escapeXml } from '../plot/svg.ts';
import type { Block, TableBlock } from './blocks.ts';

/** @param folder where the plots are, as the document names it. */
export function renderMarkdown(blocks: readonly Block[], folder: string): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const parts = blocks.map((block): string => {
    if (block.kind === 'heading') return `${'#'.repeat(block.level)} ${block.text}`;
    if (block.kind === 'text') return block.text;
    if (block.kind === 'list') return block.items.map((item) => `- ${item}`).join('\n');
    if (block.kind === 'code') return `\`\`\`sh\n${block.text}\n\`\`\``;
    if (block.kind === 'plot') return `![${block.alt}](${folder}/${block.name}.svg)`;
    const row = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
    const rule = block.head.map((_, index) => (index < block.words ? '---' : '---:'));
    const title = block.title === '' ? '' : `**${block.title}**\n\n`;
    return title + [row(block.head), row(rule), ...block.rows.map(row)].join('\n');
  });
  return `${parts.join('\n\n')}\n`;
}

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}' +
  'table{border-collapse:collapse;display:block;overflow-x:auto;font-size:14px}td,th{padding:.2rem .6rem;border:1px solid #ccc}' +
  'td.n{text-align:right;white-space:nowrap}svg{max-width:100%;height:auto}code{background:#8882;padding:0 .2em}' +
  '@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td,th{border-color:#555}}';

/** One file that fetches nothing. */
export function renderHtml(blocks: readonly Block[], title: string): string {
  const words = (text: string): string => escapeXml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
  const parts = blocks.map((block): string => {
    if (block.kind === 'heading') return `<h${block.level}>${words(block.text)}</h${block.level}>`;
    if (block.kind === 'text') return `<p>${words(block.text)}</p>`;
    if (block.kind === 'list') return `<ul>${block.items.map((item) => `<li>${words(item)}</li>`).join('')}</ul>`;
    if (block.kind === 'code') return `<pre>${escapeXml(block.text)}</pre>`;
    if (block.kind === 'plot') return `<figure>${block.svg}</figure>`;
    const head = block.head.map((each) => `<th>${words(each)}</th>`).join('');
    const cell = (each: string, index: number): string =>
      `<td${index < block.words ? '' : ' class="n"'}>${words(each)}</td>`;
    const rows = block.rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n');
    return `<h3>${words(block.title)}</h3><table><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeXml(title)}</title><style>${STYLE}</style></head><body>
${parts.join('\n')}
</body></html>
`;
}

/** Tables, headings and sentences; plots are for files. */
export function renderTerminal(blocks: readonly Block[]): string {
  const plain = (text: string): string => text.replaceAll('`', '');
  const parts = blocks.flatMap((block): string[] => {
    if (block.kind === 'heading') return [plain(block.text)];
    if (block.kind === 'text') return [plain(block.text)];
    if (block.kind === 'list') return [block.items.map((item) => `  ${plain(item)}`).join('\n')];
    return block.kind === 'table' ? [terminalTable(block, plain)] : [];
  });
  return `${parts.join('\n\n')}\n`;
}

function terminalTable({ title, head, rows, words }: TableBlock, plain: (text: string) => string): string {
  const grid = new Table({
    head: head.map(plain),
    colAligns: head.map((_, index) => (index < words ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) grid.push(row.map(plain));
  return `${plain(title)}\n${grid.toString()}`;
}
