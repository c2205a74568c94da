// One `verdict` from options to exit code.
import { writeFileSync } from 'node:fs';
import { loadPreset, PRESET_NAMES, type Preset, type PresetName, parsePreset } from '../../model/index.ts';
import { conclude } from '../../verdict/conclusions.ts';
import { makeOverview, renderTerminal } from '../../verdict/document/index.ts';
import { makePlan } from '../../verdict/plan.ts';
import { type VerdictResult, verdictSchema } from '../../verdict/result.ts';
import { runVerdict } from '../../verdict/run.ts';
import { UsageError } from '../request.ts';
import { EXIT_INTERRUPTED, EXIT_OK, type Host } from '../run.ts';
import { type BesideOptions, besideFromFiles, besideOf } from './beside.ts';
import { prepareFiles, readWith, writeFiles } from './files.ts';
import { openVerdictProgress } from './progress.ts';

/** As commander hands them over. */
export interface VerdictOptions extends BesideOptions {
  readonly preset: string;
  readonly costs?: string;
  readonly seeds?: string;
  readonly out?: string;
  readonly json?: string;
  readonly html?: string;
  readonly from?: string;
}

export type VerdictHost = Host;

const OUT = 'docs';
/** What a quick run shows must not take the place of the document. */
const QUICK_OUT = 'verdict-quick';

/** @returns 0, or 130 when it was interrupted: what was done is printed and written all the same. @throws UsageError */
export async function runVerdictCommand(options: VerdictOptions, host: VerdictHost): Promise<number> {
  const files = { ...options, out: options.out ?? (options.quick === true ? QUICK_OUT : OUT) };
  const make = options.from === undefined ? prepareRun(options, host) : prepareStored(options.from, options);
  prepareFiles(files);
  const result = await make();
  host.out.write(renderTerminal(makeOverview(result)));
  host.err.write(`written: ${writeFiles(result, files).join(', ')}\n`);
  return host.signal.aborted ? EXIT_INTERRUPTED : EXIT_OK;
}

/** Reads what there is to read. @returns what simulates. @throws UsageError */
function prepareRun(options: VerdictOptions, host: VerdictHost): () => Promise<VerdictResult> {
  const preset = readPreset(options);
  const plan = makePlan(options.quick === true, readSeeds(options.seeds));
  besideFromFiles(options); // refuses before anything is simulated
  return async () => {
    const progress = openVerdictProgress(host.err);
    // Threads in Atomics.wait keep no process alive.
    const alive = setInterval(() => {}, 2 ** 30);
    try {
      return await runVerdict(
        { preset, plan, ...besideOf(options, host, progress.note) },
        {
          onSection: progress.section,
          onProgress: progress.at,
          onPartial: (result) => {
            if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result)}\n`);
          },
          signal: host.signal,
        },
      );
    } finally {
      clearInterval(alive);
      progress.stop();
    }
  };
}

/** A stored result, with what other files say in the place of what it says. @throws UsageError */
function prepareStored(file: string, options: VerdictOptions): () => Promise<VerdictResult> {
  const stored = readWith('--from', file, (text) => verdictSchema.parse(JSON.parse(text)));
  const { real, validate } = besideFromFiles(options);
  return async () => ({
    ...stored,
    // As they are understood by now: what they are drawn from is stored.
    sensitivity: stored.sensitivity.map((each) => ({ ...each, conclusions: conclude(stored.plan, each.panel) })),
    ...(real === undefined ? {} : { real: await real() }),
    ...(validate === undefined ? {} : { validation: await validate() }),
  });
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
