// The answer in plain words. Each sentence and figure is drawn from the results; what does not hold is said not to.

import { median } from 'simple-statistics';
import { MODEL_GENERATIONS, type ModelGeneration, SUSPECT_NAMES } from '../../model/index.ts';
import { formatNs, formatPercent, formatRate } from '../../report/format.ts';
import { FEW_THREADS } from '../adaptive.ts';
import { type Conclusion, conclusionsOf, cures } from '../conclusions.ts';
import { isHealthy, LOOP_SHARE } from '../outcome.ts';
import type { RealRun } from '../real.ts';
import type { VerdictResult } from '../result.ts';
import type { SensitivityPoint } from '../sensitivity.ts';
import type { TableRow } from '../table.ts';
import { errorOf, heldRows, type Validation, WITHIN } from '../validation-view.ts';
import { type Block, heading, list, text } from './blocks.ts';
import { showRecovery } from './load-section.ts';
import { andList, basesOf, candidateWords, kneeWords, removedWords, SUSPECT_WORDS } from './words.ts';

export function summary(result: VerdictResult): Block[] {
  const parts: [string, string[]][] = [
    ['What happens', [...tableItems(result), ...conclusionItems(result, 'what')]],
    ['What removes it', [...conclusionItems(result, 'removes'), ...healedItems(result), ...removalItems(result)]],
    ['What a better path does', [...conclusionItems(result, 'path'), ...kneeItems(result), ...adaptiveItems(result)]],
    ['After the load has fallen', recoveryItems(result)],
    ['How far to trust it', validationItems(result)],
  ];
  return [
    heading(2, 'In short'),
    text(
      `What follows was simulated on a model of ${result.preset.parameters.processors?.value} processors (\`${result.preset.name}\`), and says as much about the real machine as its inputs do. ` +
        '"Whatever the guess" means: at all points at which a guessed input was moved by itself.',
    ),
    ...parts.flatMap(([title, items]) => (items.length === 0 ? [] : [heading(3, title), list(items)])),
  ];
}

function conclusionItems({ sensitivity, plan }: VerdictResult, about: Conclusion['about']): string[] {
  const [base, ...points] = sensitivity;
  if (base === undefined || base.path !== '') return [];
  return conclusionsOf(plan)
    .filter((each) => each.about === about)
    .map(({ name, yes, no }) => {
      const held = base.conclusions[name];
      const others = points.filter(({ conclusions }) => conclusions[name] !== held);
      return `${held ? yes : no}${trustOf(points.length, others)}`;
    });
}

function trustOf(points: number, others: readonly SensitivityPoint[]): string {
  if (points === 0) return '';
  if (others.length === 0) return ' Whatever the guess.';
  const paths = [...new Set(others.map(({ path }) => `\`${path}\``))];
  const where = paths.slice(0, 3).join(', ') + (paths.length > 3 ? ` and ${paths.length - 3} more` : '');
  return ` It depends on ${where} (${others.length} of ${points} points say otherwise).`;
}

function healedItems({ sensitivity, plan }: VerdictResult): string[] {
  const ill = sensitivity.filter(({ panel }) => !isHealthy(panel.beyond.locked));
  if (ill.length === 0) return [];
  const healed = SUSPECT_NAMES.map((name) => {
    const times = ill.filter(({ panel }) => cures(panel).includes(name)).length;
    return { text: `${SUSPECT_WORDS[name]} ${times}`, times };
  }).sort((a, b) => b.times - a.times);
  return [
    `Of ${ill.length} points of the sweep at which \`locked\` is ill at ${plan.asked.beyond} threads, it is well without one suspect alone at so many: ${healed.map((each) => each.text).join(', ')}.`,
  ];
}

/** What the table shows over all seeds. */
function tableItems({ table, plan }: VerdictResult): string[] {
  const cell = (generation: ModelGeneration, threads: number): TableRow | undefined =>
    table.find((row) => row.generation === generation && row.threads === threads);
  const said = [plan.asked.before, plan.asked.at].flatMap((threads) => {
    const seeds = MODEL_GENERATIONS.flatMap((generation) => {
      const row = cell(generation, threads);
      return row === undefined ? [] : [`\`${generation}\` ${row.seedsWithTimeouts}`];
    });
    if (seeds.length === 0) return [];
    return [`At ${threads} threads, of ${plan.seeds} seeds so many see time-outs: ${andList(seeds)}.`];
  });
  const isIll = (row: TableRow): boolean => row.timeouts > 0 || row.refaultsPerFault.mean > LOOP_SHARE;
  const back = MODEL_GENERATIONS.filter((generation) => {
    const rows = table.filter((row) => row.generation === generation);
    const first = rows.findIndex(isIll);
    return first >= 0 && !rows.slice(first).every(isIll);
  });
  if (back.length > 0)
    said.push(
      `More threads are not always worse: ${andList(back.map((name) => `\`${name}\``))} ${back.length === 1 ? 'is' : 'are'} ill at some thread count of the table and well at a larger one, ` +
        'so a knee says where trouble begins, not that it never ends.',
    );
  return said;
}

function kneeItems(result: VerdictResult): string[] {
  const bases = basesOf(result);
  if (bases.length === 0) return [];
  const knees = (pick: 'loop' | 'timeout'): string =>
    andList(bases.map((base) => `\`${base.generation}\` ${kneeWords(base[pick], result)}`));
  return [
    `Most threads without the loop of re-faults: ${knees('loop')}. Most threads without a time-out: ${knees('timeout')}.`,
  ];
}

function removalItems({ removals, plan }: VerdictResult): string[] {
  const singles = removals.filter(({ generation, removed }) => generation === 'locked' && removed.length === 1);
  if (singles.length === 0) return [];
  const last = plan.grid[plan.grid.length - 1];
  const alive = singles.filter(({ at }) => isHealthy(at)).map(({ removed }) => removedWords(removed));
  const clear = singles.filter(({ loop }) => loop.isBeyond).map(({ removed }) => removedWords(removed));
  const inTime = singles.filter(({ timeout }) => timeout.isBeyond).map(({ removed }) => removedWords(removed));
  const say = (names: readonly string[], what: string): string =>
    names.length === 0 ? `no suspect ${what}` : `${what}: ${andList(names)}`;
  return [
    `Taken out alone, with the first seed: ${say(alive, `leaves \`locked\` without the loop and without time-outs at ${plan.asked.at} threads`)}; ` +
      `${say(clear, `without the loop up to ${last} threads`)}; ${say(inTime, `without time-outs up to ${last} threads`)}.`,
  ];
}

function recoveryItems({ metastability: { spikes } }: VerdictResult): string[] {
  return [...Map.groupBy(spikes, ({ low, knee }) => Math.round((100 * low) / knee))].map(
    ([share, each]) =>
      `After a load of twice the knee has fallen to ${share} % of it, the time to recovery is: ` +
      `${andList(each.map((spike) => `\`${spike.generation}\` ${showRecovery(spike)}`))}.`,
  );
}

function adaptiveItems({ candidates, real, plan }: VerdictResult): string[] {
  const none = candidates[0];
  const core = candidates.find(({ isCore }) => isCore);
  const items: string[] = [];
  const well = candidates
    .slice(1)
    .filter((each) => isHealthy(each.at) && isHealthy(each.beyond) && isHealthy(each.most));
  if (none !== undefined)
    items.push(
      well.length === 0
        ? 'Of what was tried beyond `lockless`, nothing alone is well at all thread counts looked at.'
        : `Of what was tried beyond \`lockless\`, these are well at ${plan.asked.at}, ${plan.asked.beyond} and ${plan.asked.most} threads: ${well.map(candidateWords).join('; ')}.`,
    );
  if (none !== undefined && core !== undefined) {
    const { few, most } = core;
    items.push(
      `In the model \`adaptive\` has ${most.timeouts === 0 ? 'no time-out' : `${most.timeouts} time-outs`} at ${plan.asked.most} threads. At ${FEW_THREADS} threads a fault takes ` +
        `${formatNs(few.latency.mean)} with it and ${formatNs(none.few.latency.mean)} with \`lockless\`: ${formatPercent(few.latency.mean / none.few.latency.mean - 1)}.`,
    );
  }
  return real === undefined ? items : [...items, ...realItems(real, plan.asked.at)];
}

/** Repeats of a cell are added up; a scanner that is off asks nothing of the designs. */
function realItems({ cells }: RealRun, at: number): string[] {
  const scanned = cells.filter(({ scanner }) => scanner > 0).sort((a, b) => a.threads - b.threads);
  const many = Map.groupBy(
    scanned.filter(({ threads }) => threads >= at),
    ({ generation, threads }) => `\`${generation}\` at ${threads} threads`,
  );
  const items: string[] = [];
  if (many.size > 0) {
    const timeouts = [...many].map(([name, each]) => `${name} ${each.reduce((sum, cell) => sum + cell.timeouts, 0)}`);
    items.push(`On real threads, under the scanner, jobs that timed out: ${andList(timeouts)}.`);
  }
  const few = [...Map.groupBy(scanned, ({ generation }) => generation)].flatMap(([generation, each]) => {
    const rates = each.filter(({ threads }) => threads === FEW_THREADS).map(({ faultsPerSecond }) => faultsPerSecond);
    if (rates.length === 0) return [];
    const [least, most] = [Math.min(...rates), Math.max(...rates)].map(formatRate);
    return [`\`${generation}\` ${least}${least === most ? '' : ` to ${most}`}`];
  });
  if (few.length > 0) items.push(`On real threads, faults answered at ${FEW_THREADS} threads: ${andList(few)}.`);
  return items;
}

function validationItems({ validation }: VerdictResult): string[] {
  if (validation === undefined) return ['The model was not held against a real run in this document.'];
  const rows = heldRows(validation);
  const within = rows.filter((row) => Math.abs(errorOf(row)) <= WITHIN).length;
  return [
    `On this machine the model's throughput lies within ${100 * WITHIN} % of the real run's in ${within} of ${rows.length} cells below saturation that no other program disturbed (${validation.rows.length} cells in all).`,
    ratioItem(validation),
  ];
}

/** How far off it is at all, saturated or not, disturbed or not. */
function ratioItem({ rows }: Validation): string {
  const ratios = rows.filter(({ real }) => real > 0).map((row) => 1 + errorOf(row));
  if (ratios.length === 0) return 'No cell of the real run answered a fault.';
  const [least, middle, most] = [Math.min(...ratios), median(ratios), Math.max(...ratios)].map((x) => x.toPrecision(2));
  const trust = ratios.every((ratio) => Math.abs(ratio - 1) <= WITHIN)
    ? ''
    : ' Rates of the model are not rates of a real machine; what is said above rests on its mechanisms and on comparisons within it.';
  return `Over all cells the model has ${least} to ${most} times the real throughput, ${middle} times in the middle.${trust}`;
}
