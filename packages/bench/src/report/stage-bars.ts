// Where a fault's time goes, as stacked bars: of all faults, and of the slowest.
import type { Stages, StageTimes } from '../result/schema.ts';
import { STAGES, slowestOf } from '../result/stages.ts';
import { barKeys, type StackedBar, stackedBars } from './bars.ts';
import { formatNs } from './format.ts';
import { escapeHtml } from './page.ts';

const NAMES: Record<keyof StageTimes, string> = {
  queue: 'queue',
  group: 'group',
  work: 'work ring',
  handler: 'handler',
  response: 'response',
};
const SLOWEST = 0.01;

/** For the page: the stages in words, with their colours. */
export const STAGE_MEANING: string = `<p class="soft">Queue: until the interrupt's thread reports the record. Group: until it goes to the work queue. Work ring: until a worker begins on it. Handler: until its answer is known. Response: until the device is resumed. Each block has a scale of its own.</p>
${barKeys(STAGES.map((stage) => ({ name: NAMES[stage], colour: stage })))}`;

/** One figure: a bar for each of `cells`, once for the mean of all faults and once for the slowest hundredth. */
export function stageFigure(
  title: string,
  cells: readonly { readonly name: string; readonly stages: Stages }[],
): string {
  const all = cells.map(({ name, stages }) => barOf(name, stages.meanNs));
  const slowest = cells.map(({ name, stages }) => {
    const { fromNs, meanNs } = slowestOf(stages, SLOWEST);
    return barOf(`${name}, from ${formatNs(fromNs)}`, meanNs);
  });
  const skipped = cells.filter(({ stages }) => stages.skipped > 0);
  const counts = skipped.map(({ name, stages }) => `${name} ${stages.skipped} of ${stages.faults + stages.skipped}`);
  const note = counts.length === 0 ? '' : `Not every fault passed all stages; left out: ${counts.join(', ')}.`;
  return `<figure>
<header><h3>${escapeHtml(title)}</h3></header>
<div class="bars"><h4>mean of all faults</h4>
${stackedBars(all, formatNs)}
<h4>mean of the slowest, at least ${SLOWEST * 100} %</h4>
${stackedBars(slowest, formatNs)}</div>
<figcaption>${escapeHtml(note)}</figcaption>
</figure>`;
}

function barOf(name: string, meanNs: StageTimes): StackedBar {
  return { name, parts: STAGES.map((stage) => ({ name: NAMES[stage], colour: stage, value: meanNs[stage] })) };
}
