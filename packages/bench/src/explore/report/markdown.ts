// Markdown: cells, tables, and the text between them.

/** A table. Numbers stand to the right. Ends without a line feed. */
export function markdownTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly string[] = [],
): string {
  const rule = heads.map((head) => (numbers.includes(head) ? '--:' : '---'));
  return [heads, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

export function code(text: string): string {
  return text === '' ? '' : `\`${text.replaceAll('`', "'").replaceAll('|', '\\|').replaceAll('\n', ' ')}\``;
}

/** Text that Markdown leaves alone, on one line. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_[\]<>|#]/g, '\\$&').replaceAll('\n', ' ');
}

const OUR_SOURCE = /((?:core|hw|iommufd|bench)\/[\w./-]+\.ts)(?::(\d+))?/g;

/** Text in which each source of ours, such as `core/src/sync/mutex.ts:25`, is a link to it as seen from `docs/`. */
export function withSourceLinks(text: string): string {
  let page = '';
  let from = 0;
  for (const { 0: whole, 1: path, 2: line, index } of text.matchAll(OUR_SOURCE)) {
    const target = `../packages/${path}${line === undefined ? '' : `#L${line}`}`;
    page += `${escapeMarkdown(text.slice(from, index))}[${code(whole)}](${target})`;
    from = index + whole.length;
  }
  return page + escapeMarkdown(text.slice(from));
}
