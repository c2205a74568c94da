/** Text as text, in HTML and SVG, in elements and in quoted attributes. Control characters have no place in either. */
export function escapeHtml(text: string): string {
  const named = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is meant
  return named.replaceAll("'", '&#39;').replace(/[\0-\x08\x0b\x0c\x0e-\x1f]/g, '�');
}
