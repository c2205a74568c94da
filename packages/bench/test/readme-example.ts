/** Finds the examples that a README promises will run: its fences opened by "```ts example".
 * @returns the code of each, and the line in the README on which it begins.
 * @throws when there is none. */
export function readExamples(readme: string, name: string): { code: string; line: number }[] {
  const lines = readme.split('\n');
  const opens = lines.flatMap((line, at) => (/^```ts example\s*$/.test(line) ? [at] : []));
  if (opens.length === 0) throw new Error(`${name}: no example: none of its fences opens with "\`\`\`ts example"`);
  return opens.map((open) => {
    const close = lines.findIndex((line, at) => at > open && /^```\s*$/.test(line));
    if (close === -1) throw new Error(`${name}:${open + 1}: the example's fence is not closed`);
    return { code: `${lines.slice(open + 1, close).join('\n')}\n`, line: open + 2 };
  });
}

/** Finds the files that a README shows whole: its fences opened by "```ts NAME.ts".
 * @returns the code by file name. */
export function readFiles(readme: string): ReadonlyMap<string, string> {
  const fences = readme.matchAll(/^```ts ([\w-]+\.ts)\n(.*?)^```$/gms);
  return new Map(Array.from(fences, ([, file, code]) => [file, code]));
}
