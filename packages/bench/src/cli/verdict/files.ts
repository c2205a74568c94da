import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { YAMLParseError } from 'yaml';
import { ZodError } from 'zod';
import { makeDocument, renderHtml, renderMarkdown } from '../../verdict/document/index.ts';
import type { VerdictResult } from '../../verdict/result.ts';
import { UsageError } from '../request.ts';

const DOCUMENT = 'verdict-512';

export interface OutputFiles {
  readonly out: string;
  readonly json?: string;
  readonly html?: string;
}

/** Reads a file. @throws UsageError with the option, the file and what is wrong, in a line */
export function readWith<T>(option: string, file: string, parse: (text: string) => T): T {
  const refuse = (why: string, cause: unknown): UsageError =>
    new UsageError(`${option} = ${JSON.stringify(file)}: ${why}`, { cause });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw refuse(`cannot be read: ${(error as Error).message}`, error);
  }
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof ZodError) {
      const [{ path, message }] = error.issues;
      throw refuse(`${path.join('.') || 'the file'}: ${message}`, error);
    }
    if (error instanceof YAMLParseError || error instanceof SyntaxError)
      throw refuse(error.message.split('\n')[0], error);
    throw error;
  }
}

/** Many minutes of simulating must not end at a folder that cannot be written. @throws UsageError */
export function prepareFiles({ out, json, html }: OutputFiles): void {
  const attempt = (option: string, file: string, make: () => void): void => {
    try {
      make();
    } catch (error) {
      throw new UsageError(`${option} = ${JSON.stringify(file)}: cannot be written: ${(error as Error).message}`);
    }
  };
  attempt('--out', out, () => mkdirSync(join(out, DOCUMENT), { recursive: true }));
  if (json !== undefined) attempt('--json', json, () => writeFileSync(json, '', { flag: 'a' }));
  if (html !== undefined) attempt('--html', html, () => writeFileSync(html, '', { flag: 'a' }));
}

/** @returns what was written. */
export function writeFiles(result: VerdictResult, { out, json, html }: OutputFiles): string[] {
  const blocks = makeDocument(result);
  const folder = join(out, DOCUMENT);
  const document = join(out, `${DOCUMENT}.md`);
  rmSync(folder, { recursive: true, force: true }); // plots of before
  mkdirSync(folder, { recursive: true });
  for (const block of blocks) if (block.kind === 'plot') writeFileSync(join(folder, `${block.name}.svg`), block.svg);
  writeFileSync(document, renderMarkdown(blocks, DOCUMENT));
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(result)}\n`);
  if (html !== undefined) writeFileSync(html, renderHtml(blocks, 'The verdict on 512 threads'));
  return [document, `${folder}/`, json, html].filter((file) => file !== undefined);
}
