// The document, made from a result: the same result gives the same bytes.
import type { VerdictResult } from '../result.ts';
import { adaptiveSection } from './adaptive-section.ts';
import { type Block, heading, text } from './blocks.ts';
import { againSection, inputsSection, limitsSection, validationSection } from './facts.ts';
import { loadSection } from './load-section.ts';
import { sensitivitySection } from './sensitivity-section.ts';
import { summary } from './summary.ts';
import { suspectsSection } from './suspects-section.ts';
import { tableSection } from './table-section.ts';

export type { Block } from './blocks.ts';
export { renderHtml, renderMarkdown, renderTerminal } from './render.ts';

export function makeDocument(result: VerdictResult): Block[] {
  const { partial, plan } = result;
  return [
    heading(1, 'The verdict on 512 threads'),
    text(
      'A mailing list reported that 512 threads of an accelerator time out on 128 processors, before a series of patches and after it, and that NUMA balancing was the cause. ' +
        'This document is made by `faultline verdict`: figures and sentences follow from its results.',
    ),
    ...(partial ? [text(`PARTIAL: it was interrupted. What is missing was not finished${sweptUntil(result)}.`)] : []),
    ...(plan.quick ? [text('QUICK: so short that it shows how the document is made, and nothing else.')] : []),
    ...summary(result),
    ...validationSection(result),
    ...tableSection(result),
    ...suspectsSection(result),
    ...sensitivitySection(result),
    ...loadSection(result),
    ...adaptiveSection(result),
    ...inputsSection(result),
    ...againSection(result),
    ...limitsSection(result),
  ];
}

/** How far the sweep over guesses got: it takes them in the order of the inputs. */
function sweptUntil({ sensitivity }: VerdictResult): string {
  const last = sensitivity.at(-1)?.path;
  return last === undefined || last === '' ? '' : `: no guess after \`${last}\` in the list of inputs was moved`;
}

/** What a terminal shows: the inputs are for the file. */
export function makeOverview(result: VerdictResult): Block[] {
  return [
    ...(result.partial ? [text('PARTIAL: interrupted; what was finished is below.')] : []),
    ...tableSection(result).filter(({ kind }) => kind === 'table'),
    ...suspectsSection(result).filter(({ kind }) => kind === 'table'),
    ...sensitivitySection(result)
      .filter(({ kind }) => kind === 'table')
      .slice(0, 1),
    ...loadSection(result).filter(({ kind }) => kind === 'table'),
    ...adaptiveSection(result).filter(({ kind }) => kind === 'table'),
    ...validationSection(result).filter(({ kind }) => kind === 'table'),
    ...summary(result),
  ];
}
