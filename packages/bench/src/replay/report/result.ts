import { readEnvironment } from '../../result/environment.ts';
import type { ReplayOptions } from '../run/options.ts';
import type { Replayed } from '../run/replay.ts';
import { REPLAY_SCHEMA_VERSION, type ReplayResult } from './schema.ts';

/** The figures of a replay, and what is wrong with them. */
export function makeResult(file: string, options: ReplayOptions, replayed: Replayed): ReplayResult {
  const { reader, feeder, cell, stats, unsent } = replayed;
  const answered = stats.succeeded + stats.invalid;
  const result: ReplayResult = {
    schemaVersion: REPLAY_SCHEMA_VERSION,
    command: 'replay',
    file,
    environment: readEnvironment(),
    options: { ...options, speed: Number.isFinite(options.speed) ? options.speed : null },
    interrupted: replayed.interrupted,
    ...reader.counts,
    unreadableLines: reader.unreadable,
    devices: reader.parser.names.count,
    byDevice: feeder.devices.map(({ device, rid, pasids, records, groups }) => ({
      device: reader.parser.names.name(device),
      ...{ rid, records, groups },
      pasids: [...pasids].sort((a, b) => a - b),
    })),
    sent: stats.requests,
    unsent,
    unplaced: feeder.unplaced,
    stopMarkers: feeder.stopMarkers,
    heldForIndex: replayed.heldIndex,
    heldForCredit: replayed.heldCredit,
    groupsSent: stats.groups,
    answered,
    succeeded: stats.succeeded,
    invalid: stats.invalid,
    byCore: cell.answered,
    byHardware: cell.automatic,
    byDriver: answered - cell.answered - cell.automatic,
    failures: stats.failures,
    dropped: stats.dropped,
    unexpected: stats.unexpected,
    overflows: cell.overflows,
    seconds: cell.seconds,
    recordsPerSecond: stats.requests / cell.seconds,
    groupsPerSecond: stats.groups / cell.seconds,
    latencyNs: cell.latencyNs,
    histogram: cell.histogram,
    latenessNs: replayed.latenessNs,
    unbalanced: [],
  };
  return { ...result, unbalanced: [...checkReplay(result), ...checkLeaks(replayed)] };
}

/** @returns a sentence for each figure that does not balance. */
export function checkReplay(result: ReplayResult): string[] {
  const { records, sent, unsent, unplaced, stopMarkers, groupsSent, answered, dropped, byDriver, unexpected } = result;
  const wrong: string[] = [];
  const { lines, unreadable, other, comments, blank, lostLines } = result;
  if (lines !== records + unreadable + other + comments + blank + lostLines)
    wrong.push(`lines = ${lines}, but their kinds sum to something else`);
  const known = sent + unsent + unplaced + stopMarkers;
  if (result.interrupted ? known > records : known !== records)
    wrong.push(`records = ${records}, but sent, unsent, unplaced and stop markers = ${known}`);
  if (groupsSent !== answered + dropped)
    wrong.push(`groupsSent = ${groupsSent}, but answered = ${answered}, dropped = ${dropped}`);
  if (byDriver < 0) wrong.push(`answered = ${answered}, but the core and the hardware answered ${-byDriver} more`);
  if (unexpected !== 0) wrong.push(`unexpected = ${unexpected}: answers to no group`);
  return wrong;
}

function checkLeaks({ cell: { leaked } }: Replayed): string[] {
  return Object.entries(leaked).flatMap(([field, count]) => (count === 0 ? [] : [`leaked.${field} = ${count}`]));
}
