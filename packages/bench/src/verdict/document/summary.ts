// The answer in plain words. Each sentence and figure is drawn from the results; what does not hold is said not to.
import { formatNs, formatPercent } from '../../report/format.ts';
import { FEW_THREADS } from '../adaptive.ts';
import { conclusionsOf, rankSuspects } from '../conclusions.ts';
import type { VerdictResult } from '../result.ts';
import { errorOf, WITHIN } from '../validation-view.ts';
import { type Block, heading, list, text } from './blocks.ts';
import { showRecovery } from './load-section.ts';
import { andList, basesOf, kneeWords, removedWords, SUSPECT_WORDS } from './words.ts';

export function summary(result: VerdictResult): Block[] {
  const items = [
    ...conclusionItems(result),
    ...kneeItems(result),
    ...recoveryItems(result),
    ...adaptiveItems(result),
    ...validationItems(result),
  ];
  return [
    heading(2, 'In short'),
    text(
      `What follows was simulated on a model of ${result.preset.parameters.processors?.value} processors (\`${result.preset.name}\`), and says as much about the real machine as its inputs do. ` +
        '"Whatever the guess" means: at all points at which a guessed input was moved by itself.',
    ),
    items.length === 0 ? text('Nothing was simulated to the end.') : list(items),
  ];
}

function conclusionItems({ sensitivity, plan }: VerdictResult): string[] {
  const [base, ...points] = sensitivity;
  if (base === undefined || base.path !== '') return [];
  const said = conclusionsOf(plan).map(({ name, yes, no }) => {
    const held = base.conclusions[name];
    const others = points.filter(({ conclusions }) => conclusions[name] !== held);
    const paths = [...new Set(others.map(({ path }) => `\`${path}\``))];
    const where = paths.slice(0, 3).join(', ') + (paths.length > 3 ? ` and ${paths.length - 3} more` : '');
    const trust =
      points.length === 0
        ? ''
        : others.length === 0
          ? ' Whatever the guess.'
          : ` It depends on ${where} (${others.length} of ${points.length} points say otherwise).`;
    return `${held ? yes : no}${trust}`;
  });
  const ranking = rankSuspects(base.panel).map((name) => SUSPECT_WORDS[name]);
  const first = rankSuspects(base.panel)[0];
  const same = points.filter(({ panel }) => rankSuspects(panel)[0] === first).length;
  return [
    ...said,
    `By what \`locked\` gets done at ${plan.asked.beyond} threads without each suspect: ${ranking.join(', ')}. ${SUSPECT_WORDS[first]} comes first at ${same} of ${points.length} points of the sweep.`,
  ];
}

function kneeItems(result: VerdictResult): string[] {
  const bases = basesOf(result);
  if (bases.length === 0) return [];
  const knees = (pick: 'loop' | 'timeout'): string =>
    andList(bases.map((base) => `\`${base.generation}\` ${kneeWords(base[pick], result)}`));
  const singles = result.removals.filter(({ generation, removed }) => generation === 'locked' && removed.length === 1);
  const best = singles.filter(({ loop }) => loop.isBeyond).map(({ removed }) => removedWords(removed));
  const inTime = singles.filter(({ timeout }) => timeout.isBeyond).map(({ removed }) => removedWords(removed));
  const last = result.plan.grid[result.plan.grid.length - 1];
  return [
    `Most threads without the loop of re-faults: ${knees('loop')}. Most threads without a time-out: ${knees('timeout')}.`,
    best.length === 0
      ? `No suspect, taken out alone, keeps \`locked\` clear of the loop up to ${last} threads.`
      : `Taken out alone, ${best.length === 1 ? 'this keeps' : 'each of these keeps'} \`locked\` clear of the loop up to ${last} threads: ${andList(best)}.`,
    inTime.length === 0
      ? `No suspect, taken out alone, keeps \`locked\` from time-outs up to ${last} threads.`
      : `Taken out alone, ${inTime.length === 1 ? 'this keeps' : 'each of these keeps'} \`locked\` from time-outs up to ${last} threads: ${andList(inTime)}.`,
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
  if (none !== undefined && core !== undefined) {
    const { few, most } = core;
    const last = plan.grid[plan.grid.length - 1];
    items.push(
      `In the model \`adaptive\` has ${most.timeouts === 0 ? 'no time-out' : `${most.timeouts} time-outs`} at ${last} threads. At ${FEW_THREADS} threads a fault takes ` +
        `${formatNs(few.latency.mean)} with it and ${formatNs(none.few.latency.mean)} with \`lockless\`: ${formatPercent(few.latency.mean / none.few.latency.mean - 1)}.`,
    );
  }
  const cells = real?.cells.filter(({ threads }) => threads >= plan.asked.at) ?? [];
  if (cells.length > 0)
    items.push(
      `On real threads: ${andList(cells.map(({ generation, threads, timeouts }) => `\`${generation}\` ${timeouts} time-outs at ${threads} threads`))}.`,
    );
  return items;
}

function validationItems({ validation }: VerdictResult): string[] {
  const rows = validation?.rows.filter(({ isBelowSaturation }) => isBelowSaturation) ?? [];
  if (rows.length === 0) return ['The model was not held against a real run in this document.'];
  const within = rows.filter((row) => Math.abs(errorOf(row)) <= WITHIN).length;
  return [
    `On this machine the model's throughput lies within ${100 * WITHIN} % of the real run's in ${within} of ${rows.length} cells below saturation.`,
  ];
}
