import Table from 'cli-table3';
import { formatCount, formatNs, formatRate, formatSeconds } from '../../report/format.ts';
import type { LatencyNs } from '../../result/schema.ts';
import type { ModelReplayResult } from './model-result.ts';
import type { ReplayedDevice, ReplayResult, TraceFigures } from './schema.ts';

const DEVICES_SHOWN = 16;
const HISTOGRAM_WIDTH = 40;

/** A replay on a terminal. */
export function renderReplay(result: ReplayResult): string {
  const { options, file } = result;
  const speed = options.speed === null ? 'as fast as it goes' : `at ${options.speed} x its speed`;
  const sections = [
    `faultline replay ${file}, ${speed}: ${options.iommu}, ${options.generation}, handler ${options.handler}`,
    `The trace\n${traceTable(result)}`,
    ...unreadableSection(result),
    `Devices\n${deviceTable(result.byDevice)}`,
    `The replay\n${replayTable(result)}`,
    ...(result.histogram.length === 0 ? [] : [`Groups by latency\n${histogramBars(result)}`]),
  ];
  if (result.interrupted) sections.push('INTERRUPTED: figures are those of what had been read by then');
  if (result.unbalanced.length > 0)
    sections.push(['UNBALANCED', ...result.unbalanced.map((line) => `  ${line}`)].join('\n'));
  return `${sections.join('\n\n')}\n`;
}

/** The same of a replay through the model. */
export function renderModelReplay(result: ModelReplayResult): string {
  const { file, options, groupsSent, answered, heldForCredit, unplaced, stopMarkers, seconds } = result;
  const speed = options.speed === null ? 'as fast as it goes' : `at ${options.speed} x its speed`;
  const sections = [
    `faultline replay ${file}, ${speed}: model of ${options.preset}, ${options.generation}`,
    `The trace\n${traceTable(result)}`,
    ...unreadableSection(result),
    `The model\n${columns(Object.entries({ 'groups sent': groupsSent, answered, 'held for credit': heldForCredit, 'requests not sent': unplaced + stopMarkers }))}`,
    `${formatSeconds(seconds)} of virtual time, ${formatRate(answered / seconds)} groups, ${formatCount(result.events)} events`,
    `latency of a group, from its last request to its answer: ${quantiles(result.latencyNs)}`,
  ];
  if (result.interrupted) sections.push('INTERRUPTED: figures are those of what had been read by then');
  if (result.unbalanced.length > 0)
    sections.push(['UNBALANCED', ...result.unbalanced.map((line) => `  ${line}`)].join('\n'));
  return `${sections.join('\n\n')}\n`;
}

function traceTable(result: TraceFigures): string {
  const { lines, records, unreadable, other, comments, blank, lostLines, lost, backwards, untimed } = result;
  return columns([
    ['lines', lines],
    ['requests', records],
    ['unreadable', unreadable],
    ['other events', other],
    ['comments, blank', comments + blank],
    ['lost (marks)', `${lost} (${lostLines})`],
    ['backwards', backwards],
    ['without time', untimed],
    ['devices', result.devices],
    ['groups', result.groups],
    ['partial', result.partial],
  ]);
}

function replayTable(result: ReplayResult): string {
  const { sent, groupsSent, answered, invalid, byCore, byHardware, byDriver, overflows, dropped } = result;
  return [
    columns([
      ['sent', sent],
      ['not sent', result.unsent + result.unplaced + result.stopMarkers],
      ['held for index', result.heldForIndex],
      ['held for credit', result.heldForCredit],
      ['groups sent', groupsSent],
      ['answered', answered],
      ['of these invalid', invalid],
      ['by core', byCore],
      ['by hardware', byHardware],
      ['by driver', byDriver],
      ['dropped', dropped],
      ['overflows', overflows],
    ]),
    `${formatSeconds(result.seconds)}, ${formatRate(result.recordsPerSecond)} requests, ${formatRate(result.groupsPerSecond)} groups`,
    `latency of a group, from its last request to its answer: ${quantiles(result.latencyNs)}`,
    `requests sent late: ${quantiles(result.latenessNs)}`,
  ].join('\n');
}

function unreadableSection({ unreadable, unreadableLines }: TraceFigures): string[] {
  if (unreadable === 0) return [];
  const more = unreadable - unreadableLines.length;
  return [
    [
      'Lines that could not be read',
      ...unreadableLines.map(({ line, why, text }) => `  ${line}: ${why}: ${text}`),
      ...(more > 0 ? [`  … and ${more} more`] : []),
    ].join('\n'),
  ];
}

function deviceTable(devices: readonly ReplayedDevice[]): string {
  const table = new Table({ head: ['device', 'rid', 'PASIDs', 'requests', 'groups'], style: { head: [], border: [] } });
  for (const { device, rid, pasids, records, groups } of devices.slice(0, DEVICES_SHOWN))
    table.push([device, `0x${rid.toString(16)}`, pasidText(pasids), records, groups]);
  const more = devices.length - DEVICES_SHOWN;
  return more > 0 ? `${table}\n… and ${more} more` : String(table);
}

function pasidText(pasids: readonly number[]): string {
  const shown = pasids.slice(0, 4).join(', ');
  return pasids.length > 4 ? `${shown}, … (${pasids.length})` : shown;
}

function columns(entries: readonly (readonly [string, number | string])[]): string {
  const table = new Table({ style: { head: [], border: [] } });
  for (const [name, value] of entries) table.push({ [name]: value });
  return String(table);
}

function quantiles({ p50, p99, p999, max }: LatencyNs): string {
  return `p50 ${formatNs(p50)}, p99 ${formatNs(p99)}, p99.9 ${formatNs(p999)}, max ${formatNs(max)}`;
}

/** A bar for each doubling. */
function histogramBars({ histogram }: ReplayResult): string {
  const octaves = new Map<number, number>();
  for (const [lowerNs, count] of histogram) {
    const octave = lowerNs < 1 ? 0 : Math.floor(Math.log2(lowerNs));
    octaves.set(octave, (octaves.get(octave) ?? 0) + count);
  }
  const most = Math.max(...octaves.values());
  return [...octaves]
    .sort(([a], [b]) => a - b)
    .map(([octave, count]) => {
      const bar = '█'.repeat(Math.max(1, Math.round((count / most) * HISTOGRAM_WIDTH)));
      return `  from ${formatNs(2 ** octave).padStart(8)}  ${bar} ${formatCount(count)}`;
    })
    .join('\n');
}
