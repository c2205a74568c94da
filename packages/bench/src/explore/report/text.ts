// Text for a terminal: breaking lines, colours, words of a shell.

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], yellow: [33, 39] } as const;
export type Paint = (style: keyof typeof CODES, text: string) => string;

/** @returns what wraps text in escape codes, or leaves it alone. */
export function painter(colour: boolean): Paint {
  return (style, text) => (colour && text ? `\x1b[${CODES[style][0]}m${text}\x1b[${CODES[style][1]}m` : text);
}

/** Breaks text into lines of at most `width` characters: at spaces, else after punctuation, else where it must. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let rest = paragraph;
    while (rest.length > width) {
      const head = rest.slice(0, width + 1);
      const space = head.lastIndexOf(' ');
      const mark = head.slice(0, width).search(/[/,\]_-][^/,\]_-]*$/) + 1;
      const cut = space > 0 ? space : mark > 0 ? mark : width;
      lines.push(rest.slice(0, cut));
      rest = rest.slice(cut).trimStart();
    }
    lines.push(rest);
  }
  return lines;
}

/** The command that replays a token. */
export function replayCommand(scenario: string, design: string, token: string): string {
  return `faultline explore ${shellWord(scenario)} --design ${shellText(design)} --replay ${token}`;
}

/** The command that goes on with an exploration, with what else it was given. */
export function resumeCommand(
  result: { scenario: string; design: string; resume: string },
  given: string = '',
): string {
  const { scenario, design, resume } = result;
  return `faultline explore ${shellWord(scenario)} --design ${shellText(design)}${given} --resume ${shellWord(resume)}`;
}

function shellText(text: string): string {
  return /[\\"$`!\n]/.test(text) ? singleQuoted(text) : `"${text}"`;
}

/** Text as one word of a shell. */
export function shellWord(text: string): string {
  return /^[\w/.:@+-]+$/.test(text) ? text : singleQuoted(text);
}

function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** @returns e.g. `1 switch`, `1,204 schedules`. */
export function countOf(count: number, one: string, many: string = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}
