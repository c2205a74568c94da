// One `verdict` from options to exit code.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { YAMLParseError } from 'yaml';
import { ZodError } from 'zod';
import { loadPreset, PRESET_NAMES, type Preset, type PresetName, parsePreset } from '../../model/index.ts';
import {
  makeDocument,
  makeOverview,
  renderHtml,
  renderMarkdown,
  renderTerminal,
} from '../../verdict/document/index.ts';
import { makePlan, type Plan } from '../../verdict/plan.ts';
import { type RealRun, readReal, runReal } from '../../verdict/real.ts';
import { type VerdictResult, verdictSchema } from '../../verdict/result.ts';
import { runVerdict } from '../../verdict/run.ts';
import { UsageError } from '../request.ts';
import { EXIT_OK, type Host } from '../run.ts';
import { openVerdictProgress } from './progress.ts';

/** As commander hands them over. */
export interface VerdictOptions {
  readonly preset: string;
  readonly costs?: string;
  readonly seeds?: string;
  readonly quick?: boolean;
  readonly out: string;
  readonly json?: string;
  readonly html?: string;
  readonly from?: string;
  readonly real?: string | boolean;
  readonly validate: boolean;
}

export type VerdictHost = Host;

const EXIT_INTERRUPTED = 130;
const DOCUMENT = 'verdict-512';

/** @returns 0, or 130 when it was interrupted: what was done is printed and written all the same. @throws UsageError */
export async function runVerdictCommand(options: VerdictOptions, host: VerdictHost): Promise<number> {
  prepare(options);
  const result = options.from === undefined ? await simulateAll(options, host) : readStored(options.from);
  host.out.write(renderTerminal(makeOverview(result)));
  const written = write(result, options);
  host.err.write(`written: ${written.join(', ')}\n`);
  return host.signal.aborted ? EXIT_INTERRUPTED : EXIT_OK;
}

async function simulateAll(options: VerdictOptions, host: VerdictHost): Promise<VerdictResult> {
  const preset = readPreset(options);
  const plan: Plan = makePlan(options.quick === true, readSeeds(options.seeds));
  const real = readRealOption(options, host);
  const progress = openVerdictProgress(host.err);
  try {
    return await runVerdict(
      { preset, plan, ...(real === undefined ? {} : { real: () => real(progress.note) }) },
      { onSection: progress.section, onProgress: progress.at, signal: host.signal },
    );
  } finally {
    progress.stop();
  }
}

function readRealOption(
  { real, quick }: VerdictOptions,
  { engine, signal, availableBytes }: VerdictHost,
): ((note: (text: string) => void) => Promise<RealRun>) | undefined {
  if (real === false) return undefined;
  if (typeof real === 'string') {
    const stored = readWith('--real', real, (text) => readReal(text, real));
    return () => Promise.resolve(stored);
  }
  return (note) =>
    runReal(
      engine,
      {
        onPlan: () => {},
        onCell: ({ generation, threads, timeouts }) => note(`${generation}, ${threads} threads: ${timeouts} time-outs`),
        onProgress: () => {},
        onNote: note,
        signal,
      },
      availableBytes,
      quick === true,
    );
}

function readPreset({ preset, costs }: VerdictOptions): Preset {
  const found = PRESET_NAMES.includes(preset as PresetName)
    ? loadPreset(preset as PresetName)
    : readWith('--preset', preset, parsePreset);
  if (costs === undefined) return found;
  const given = readWith('--costs', costs, parsePreset);
  return { ...found, costs: given.costs, config: { ...found.config, costs: given.costs } };
}

function readSeeds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > 100)
    throw new UsageError(`--seeds = ${JSON.stringify(text)}: must be a whole number from 1 to 100`);
  return Number(text);
}

function readStored(file: string): VerdictResult {
  return readWith('--from', file, (text) => verdictSchema.parse(JSON.parse(text)));
}

/** Reads a file. @throws UsageError with the option, the file and what is wrong, in a line */
function readWith<T>(option: string, file: string, parse: (text: string) => T): T {
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

/** Many minutes of simulating must not end at a folder that cannot be written. */
function prepare({ out, json, html }: VerdictOptions): void {
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

function write(result: VerdictResult, { out, json, html }: VerdictOptions): string[] {
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
