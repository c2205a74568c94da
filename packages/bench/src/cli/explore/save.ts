// The files that a run writes: the table as JSON and as a document, a drawing and a test a finding.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, extname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findingHtml, type Made, regressionTest, resultsDocument, toJson } from '../../explore/report/index.ts';
import type { ExploreResult, Finding } from '../../explore/result.ts';
import { UsageError } from '../request.ts';
import type { ExploreOptions } from './options.ts';
import type { Found } from './types.ts';

/** What came of one scenario and design. */
export interface Explored {
  readonly found: Found;
  readonly result: ExploreResult;
}

const FILES = ['json', 'markdown', 'html', 'save'] as const;

/** A long exploration must not end at a folder that does not exist.
 * @throws UsageError naming the option. */
export function checkFiles(options: ExploreOptions): void {
  for (const option of FILES) {
    const file = options[option];
    if (file === undefined) continue;
    const fresh = !existsSync(file);
    try {
      writeFileSync(file, '', { flag: 'a' });
      if (fresh) rmSync(file);
    } catch (error) {
      throw new UsageError(`--${option} = ${JSON.stringify(file)}: cannot be written: ${(error as Error).message}`);
    }
  }
}

/** Writes what was asked for. The second finding's files are named `x-2.html`, and so on.
 * @param made what the document says of its origin.
 * @returns a line for each file of a finding, or one that says that there was none. */
export function writeFiles(options: ExploreOptions, explored: readonly Explored[], made: Made): string[] {
  const results = explored.map(({ result }) => result);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(toJson(results))}\n`);
  if (options.markdown !== undefined) writeFileSync(options.markdown, resultsDocument(results, made));
  const findings = explored.flatMap(({ found, result }) =>
    result.finding ? [{ found, finding: result.finding }] : [],
  );
  const notes: string[] = [];
  for (const [option, render] of [
    ['html', findingHtml],
    ['save', testText],
  ] as const) {
    const file = options[option];
    if (file === undefined) continue;
    if (findings.length === 0) notes.push(`--${option}: nothing was found, so ${file} was not written`);
    findings.forEach(({ found, finding }, at) => {
      const name = numbered(file, at + 1);
      writeFileSync(name, render(finding, found, name));
      notes.push(`${name}: ${finding.kind}, ${finding.scenario}, ${finding.design}`);
    });
  }
  return notes;
}

function testText(finding: Finding, { scenario, exportName }: Found, file: string): string {
  const path = relative(dirname(resolve(file)), fileURLToPath(scenario.url)).replaceAll('\\', '/');
  return regressionTest(finding, { importPath: path.startsWith('.') ? path : `./${path}`, exportName });
}

function numbered(file: string, at: number): string {
  if (at === 1) return file;
  const extension = /\.(?:test|spec)\.[cm]?[jt]s$/.exec(file)?.[0] ?? extname(file);
  return `${file.slice(0, file.length - extension.length)}-${at}${extension}`;
}
