// A schedule as one word: it survives a shell, a chat window and a file name's neighbours, and tells a reader what it replays.
//   v1:structures/mutex@as+shipped:a12b3a:9f3c21:6b0e
//   version, scenario, design, schedule (a is the first thread, for so many steps), digest of the operations, check sum
import { IommuError } from '@faultline/core/errors';
import type { Run } from '../result.ts';

/** What a token says. */
export interface Token {
  readonly scenario: string;
  readonly design: string;
  readonly schedule: readonly Run[];
  /** Of the operations that the schedule made, as the engine reckons it: a replay that differs is told so. */
  readonly digest: number;
}

const VERSION = 'v1';
/** A schedule without a step: what broke, broke before the first. */
const NO_STEPS = '0';
const THREADS = 26;
const FORM = /^(v\d+):([^:@]*)@([^:@]*):([^:]*):([^:]*):([^:]*)$/;
const ESCAPED = /^(?:[\w/+-]|\.(?:[0-9a-f]{1,5}|10[0-9a-f]{4})\.)+$/;

/** @returns a word of letters, digits and `/ _ - + . : @`, which no shell takes for its own. Equal input gives an equal word.
 * @throws IommuError EINVAL for an empty name, a thread past the 26th, a stretch of less than one step, a digest that is no
 * whole number. */
export function encodeToken(scenario: string, design: string, schedule: readonly Run[], digest: number): string {
  const refuse = (field: string, value: unknown, why: string): never => {
    throw new IommuError('EINVAL', 'encodeToken', field, value, why);
  };
  if (scenario === '') refuse('scenario', scenario, 'must not be empty');
  if (design === '') refuse('design', design, 'must not be empty');
  if (!Number.isSafeInteger(digest)) refuse('digest', digest, 'must be a whole number of at most 53 bits');
  for (const [thread, steps] of schedule) {
    if (!Number.isInteger(thread) || thread < 0 || thread >= THREADS)
      refuse('thread', thread, `must be a whole number from 0 to ${THREADS - 1}`);
    if (!Number.isSafeInteger(steps) || steps < 1) refuse('steps', steps, 'must be a whole number from 1 on');
  }
  const body = `${VERSION}:${escapeName(scenario)}@${escapeName(design)}:${writeSchedule(schedule)}:${digest.toString(16)}`;
  return `${body}:${checkSum(body)}`;
}

/** The reverse of {@link encodeToken}. White space around the word is overlooked.
 * @throws IommuError EINVAL naming the part that is wrong. */
export function decodeToken(text: string): Token {
  const refuse = (field: string, value: string, why: string): never => {
    throw new IommuError('EINVAL', 'decodeToken', field, value, why);
  };
  const word = text.trim();
  const version = /^v\d+(?=:)/.exec(word)?.[0];
  if (version !== undefined && version !== VERSION)
    refuse('version', version, `this release reads ${VERSION}: replay it with the release that printed it`);
  const parts = FORM.exec(word);
  if (parts === null) return refuse('token', word, `must be ${VERSION}:scenario@design:schedule:digest:sum, and whole`);
  const [, , scenario, design, schedule, digest, sum] = parts;
  if (!ESCAPED.test(scenario)) refuse('scenario', scenario, 'is no name as tokens spell it');
  if (!ESCAPED.test(design)) refuse('design', design, 'is no name as tokens spell it');
  if (schedule !== NO_STEPS && !/^(?:[a-z](?:[2-9]|[1-9]\d{1,14})?)+$/.test(schedule))
    refuse('schedule', schedule, 'must be letters, each with its number of steps, such as a12b3a');
  if (!/^(?:0|-?[1-9a-f][0-9a-f]{0,13})$/.test(digest)) refuse('digest', digest, 'must be a hexadecimal number');
  const expected = checkSum(word.slice(0, word.lastIndexOf(':')));
  if (sum !== expected) refuse('sum', sum, 'does not fit the rest: part of the token was lost or changed');
  return {
    scenario: unescapeName(scenario),
    design: unescapeName(design),
    schedule: readSchedule(schedule),
    digest: Number.parseInt(digest, 16),
  };
}

function writeSchedule(schedule: readonly Run[]): string {
  const letter = (thread: number): string => String.fromCharCode(97 + thread);
  return schedule.map(([thread, steps]) => letter(thread) + (steps === 1 ? '' : steps)).join('') || NO_STEPS;
}

function readSchedule(text: string): Run[] {
  const runs = text.matchAll(/([a-z])(\d*)/g);
  return Array.from(runs, ([, letter, steps]) => [letter.charCodeAt(0) - 97, steps === '' ? 1 : Number(steps)]);
}

/** A space becomes a plus; what a shell or the token itself might take for its own, its code point between two dots. */
function escapeName(name: string): string {
  const spell = (point: string): string => (point === ' ' ? '+' : `.${point.codePointAt(0)?.toString(16)}.`);
  return name.replace(/[^A-Za-z0-9_/-]/gu, spell);
}

function unescapeName(text: string): string {
  const read = (_: string, code: string | undefined): string =>
    code === undefined ? ' ' : String.fromCodePoint(Number.parseInt(code, 16));
  return text.replace(/\+|\.([0-9a-f]+)\./g, read);
}

/** FNV-1a, folded to 16 bits: tokens are cut short by hand, not forged. */
function checkSum(text: string): string {
  let sum = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
  return (((sum >>> 16) ^ sum) & 0xffff).toString(16).padStart(4, '0');
}
