// A device thread's sums of what its faults' stages took, apart by latency: a row for each power of two of ticks. One writer.
//
//   name      offset      unit
//   SKIPPED   0           faults
//   rows      32 + 16 i   FAULTS and five stages in ticks, two words each: low 31 bits, then what they carried
import type { Arena } from '@faultline/core/memory';
import { LINE, TICK_NS, type Words } from '@faultline/core/sync';
import type { Stages, StageTimes } from '../../result/schema.ts';
import { mergeStages, STAGES, stagesOf } from '../../result/stages.ts';

export const SUMS_REGION = 'stages.sums';
const SKIPPED = 0;
const ROWS: number = LINE;
const ROW_WORDS = 16;
/** Latencies of 0 and 1 tick share the first. */
const OCTAVES = 31;
const CARRY = 2 ** 31;

/** Words of one device thread's sums, whole lines. */
export function sumsWords(): number {
  return ROWS + Math.ceil((OCTAVES * ROW_WORDS) / LINE) * LINE;
}

export function sumsBase(arena: Arena, thread: number): number {
  return arena.base(SUMS_REGION) + thread * sumsWords();
}

/** Counts a fault whose stages took so many ticks. */
export function addFault(
  words: Words,
  base: number,
  queue: number,
  group: number,
  work: number,
  handler: number,
  response: number,
): void {
  const latency = Math.max(1, queue + group + work + handler + response);
  const row = base + ROWS + Math.min(OCTAVES - 1, 31 - Math.clz32(latency)) * ROW_WORDS;
  add(words, row, 1);
  add(words, row + 2, queue);
  add(words, row + 4, group);
  add(words, row + 6, work);
  add(words, row + 8, handler);
  add(words, row + 10, response);
}

/** Counts a fault that did not pass every stage. */
export function skipFault(words: Words, base: number): void {
  words[base + SKIPPED]++;
}

/** Clocks may disagree, so that a stage is negative now and then: the low word keeps its sign out by borrowing. */
function add(words: Words, at: number, ticks: number): void {
  const sum = words[at] + ticks;
  if (sum >= CARRY) {
    words[at] = sum - CARRY;
    words[at + 1]++;
  } else if (sum < 0) {
    words[at] = sum + CARRY;
    words[at + 1]--;
  } else words[at] = sum;
}

/** What the first `threads` device threads summed up. Context: all have left the cell. */
export function readStages(arena: Arena, threads: number): Stages {
  const all = Array.from({ length: threads }, (_, thread) => readSums(arena.words, sumsBase(arena, thread)));
  return mergeStages(all) ?? stagesOf([], 0);
}

function readSums(words: Words, base: number): Stages {
  const sumAt = (at: number): number => words[at + 1] * CARRY + words[at];
  const byLatency: Stages['byLatency'] = [];
  for (let octave = 0; octave < OCTAVES; octave++) {
    const row = base + ROWS + octave * ROW_WORDS;
    const faults = sumAt(row);
    if (faults === 0) continue;
    const mean = (stage: keyof StageTimes): number => (sumAt(row + 2 + 2 * STAGES.indexOf(stage)) * TICK_NS) / faults;
    const meanNs = {
      queue: mean('queue'),
      group: mean('group'),
      work: mean('work'),
      handler: mean('handler'),
      response: mean('response'),
    };
    byLatency.push({ fromNs: octave === 0 ? 0 : 2 ** octave * TICK_NS, faults, meanNs });
  }
  return stagesOf(byLatency, words[base + SKIPPED] >>> 0);
}
