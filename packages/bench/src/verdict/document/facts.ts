// What the verdict rests on, how to make it again, and what it does not prove.
import { COST_TEXTS, type CostName } from '../../model/index.ts';
import { formatBytes, formatCount, formatNs, formatPercent, formatRate, formatSeconds } from '../../report/format.ts';
import type { VerdictResult } from '../result.ts';
import { errorOf, WITHIN } from '../validation-view.ts';
import { type Block, heading, list, table, text } from './blocks.ts';
import { showLength } from './words.ts';

export function validationSection({ validation }: VerdictResult): Block[] {
  const title = heading(2, 'The model beside the real run');
  if (validation === undefined)
    return [
      title,
      text(
        'Left out: nothing here says how far the model agrees with real threads. `faultline verdict` without `--no-validate` measures it.',
      ),
    ];
  const { rows, notes } = validation;
  return [
    title,
    text(
      `The same parameters on this machine's processors, in the model with this machine's costs and on real threads. Below saturation the throughput is held to ${100 * WITHIN} %.`,
    ),
    table(
      'Throughput and p99',
      ['threads', 'generation', 'scanner', 'real', 'model', 'error', 'p99 real', 'p99 model', 'error', 'verdict'],
      rows.map((row) => {
        const error = errorOf(row);
        const late = row.realP99Ns === 0 ? 0 : row.modelP99Ns / row.realP99Ns - 1;
        return [
          String(row.threads),
          `\`${row.generation}\``,
          row.scanner === 0 ? 'off' : `${row.scanner} ms`,
          formatRate(row.real),
          formatRate(row.model),
          formatPercent(error),
          formatNs(row.realP99Ns),
          formatNs(row.modelP99Ns),
          formatPercent(late),
          row.verdict ?? (row.isBelowSaturation ? (Math.abs(error) <= WITHIN ? 'within' : 'off') : 'saturated'),
        ];
      }),
      3,
    ),
    ...(notes.length === 0 ? [] : [list(notes)]),
  ];
}

export function inputsSection({ preset }: VerdictResult): Block[] {
  const parameters = Object.entries(preset.parameters);
  const costs = Object.entries(preset.costs);
  const kinds = [...parameters.map(([, { kind }]) => kind), ...costs.map(([, { kind }]) => kind)];
  const count = (kind: string): number => kinds.filter((each) => each === kind).length;
  return [
    heading(2, 'All inputs'),
    text(
      `${preset.text} Of ${kinds.length} inputs ${count('measured')} are measured, ${count('published')} published, and ${count('guess')} guesses.`,
    ),
    table(
      'Parameters',
      ['parameter', 'value', 'kind', 'source'],
      parameters.map(([path, { value, kind, source }]) => [`\`${path}\``, String(value), kind, source]),
      4,
    ),
    table(
      'Costs',
      ['cost', 'what it is', 'kind', 'source', 'ns'],
      costs.map(([name, { ns, kind, source }]) => [
        `\`${name}\``,
        COST_TEXTS[name as CostName] ?? '',
        kind,
        source,
        String(ns),
      ]),
      4,
    ),
  ];
}

export function againSection({ plan, effort, environment, preset }: VerdictResult): Block[] {
  const { cpuModel, cpus, memoryBytes, node, platform, release, arch } = environment;
  return [
    heading(2, 'How to make it again'),
    {
      kind: 'code',
      text: `npx -y pnpm@12 faultline verdict --preset ${preset.name} --seeds ${plan.seeds} --json verdict.json`,
    },
    text(
      `It makes this document and its plots. What is simulated follows from the inputs and the seeds 1 to ${plan.seeds} (sweeps: seed 1) alone; a real run does not. ` +
        `This one took ${effort.simulations} simulations of ${formatCount(effort.events)} events, ${formatSeconds(effort.seconds)} in all and ${formatSeconds(effort.tableSeconds)} for the table, ` +
        `on ${effort.processors} of ${cpus} processors (${cpuModel}, ${formatBytes(memoryBytes)}, ${platform} ${release} ${arch}, Node ${node}), which others may have used as well.`,
    ),
  ];
}

export function limitsSection(result: VerdictResult): Block[] {
  const { plan, preset, sensitivity } = result;
  const guesses = new Set(sensitivity.slice(1).map(({ path }) => path)).size;
  return [
    heading(2, 'What this does not prove'),
    list([
      'That the machine of the mailing list did this. Nobody ran it there; the model is built from what was published about it, and from guesses where nothing was.',
      ...(preset.name === 'reporter-arm128'
        ? [
            `That ${plan.asked.at} follows from the machine. How many pages a job has under way (\`pagesPerJob\`) and what a wake-up costs (\`costs.thread.wake\`) are not known, and were chosen so that the model's trouble begins where the mailing list's does. What follows from the mechanism, not from these choices, is what holds at other values of them as well.`,
          ]
        : []),
      `That guesses do no harm together. ${guesses === 0 ? 'None was moved here' : `${guesses} were moved, each by itself`}: two that are wrong at once may turn what neither turns alone. What the model leaves out no sweep can find.`,
      `That a knee is sharp. It was found on a grid of thread counts a quarter of a doubling apart, with ${plan.kneeSeeds === 1 ? 'one seed' : `${plan.kneeSeeds} seeds`}, in cells that end (${showLength(plan.sweepCell)}); near it chance decides, as the seeds of the table show. The sweep over guesses has one seed, so that a conclusion may turn by chance.`,
      `That faults one by one behave as faults that travel ${String(preset.parameters.grain?.value ?? 1)} together: what that changes is tested at one load alone.`,
      'That costs are what they seem. A cost measured alone is not the cost under load; the model adds cache-line transfers and contention, not memory bandwidth, frequency or NUMA distance of each access.',
      'That removing a suspect is possible as easily on a real machine as in a model, where it costs nothing.',
      'That figures of this machine hold on another. The real run shows that a mechanism exists in this code, on this many processors, under parameters calibrated to show it.',
      "That the differences of a percent or less in the mailing list's table are explained. Where the accelerator itself is the limit, the model shows none.",
      'That the lease costs nothing elsewhere: pages that the scanner leaves alone are pages that NUMA balancing does not place.',
    ]),
  ];
}
