import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { Command, CommanderError } from 'commander';
import { afterAll, expect, test } from 'vitest';
import { makeFinding } from '../../explore/report/finding.test-data.ts';
import { encodeToken, jsonResultsSchema } from '../../explore/report/index.ts';
import { makeCut, makeFailing, type makeResult } from '../../explore/report/result.test-data.ts';
import { UsageError } from '../request.ts';
import { type FakeAnswers, type FakeExplorer, fakeExplorer, SCENARIOS } from './fake-explorer.test-data.ts';
import { addExploreCommands } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'faultline-explore-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string): string => join(folder, name);

interface Ran {
  code: number;
  out: string;
  err: string;
  explorer: FakeExplorer;
}

async function explore(
  line: string | readonly string[],
  answers: FakeAnswers & { abortAfterMs?: number } = {},
): Promise<Ran> {
  const explorer = fakeExplorer(answers);
  const text = { out: '', err: '' };
  const controller = new AbortController();
  const { abortAfterMs } = answers;
  const timer = abortAfterMs === undefined ? undefined : setTimeout(() => controller.abort(), abortAfterMs);
  let code = -1;
  const program = new Command('faultline');
  const host = {
    explorer,
    loadScenarios: async () => SCENARIOS,
    out: { write: (part: string) => (text.out += part) },
    err: { write: (part: string) => (text.err += part) },
    signal: controller.signal,
  };
  addExploreCommands(program, host, (value) => {
    code = value;
  });
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeOut: host.out.write, writeErr: host.err.write });
  }
  try {
    await program.parseAsync(['explore', ...(typeof line === 'string' ? line.split(' ').filter(Boolean) : line)], {
      from: 'user',
    });
  } catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof CommanderError)) throw error;
    if (error instanceof UsageError) text.err += error.message;
    code = 2;
  } finally {
    clearTimeout(timer);
  }
  return { code, ...text, explorer };
}

const namesOf = ({ explorer }: Ran): string[] =>
  explorer.asked.map(({ scenario, request }) => `${scenario} ${request.design}`);

test('--list names each scenario with its designs, and explores nothing', async () => {
  const ran = await explore('--list');
  expect(ran.code).toBe(0);
  for (const text of [
    '000/domain-free',
    'What is asked of 001/t0-t3?',
    'fails: no count',
    'holds: counted',
    'as shipped',
  ]) {
    expect(ran.out).toContain(text);
  }
  expect(ran.explorer.asked).toEqual([]);
  expect((await explore('000/* --list')).out).not.toContain('001/');
});

test.each([
  ['--all', ['000/domain-free no count', '000/domain-free counted', '001/t0-t3 as drawn', 'structures/mutex as shipped', 'structures/mutex-handover as shipped']], // biome-ignore format: a row
  ['000/*', ['000/domain-free no count', '000/domain-free counted']],
  ['00 --design counted', ['000/domain-free counted']],
  ['structures/mutex', ['structures/mutex as shipped']],
  ['structures/mut', ['structures/mutex as shipped', 'structures/mutex-handover as shipped']],
  ['*handover 001/t0-t3', ['001/t0-t3 as drawn', 'structures/mutex-handover as shipped']],
] as const)('%s chooses', async (line, names) => {
  const ran = await explore(line);
  expect(namesOf(ran)).toEqual(names);
  expect(ran.code).toBe(0);
});

test('every option reaches the engine', async () => {
  const line = 'structures/mutex --strategy bounded:2 --schedules 900 --seconds 1.5 --steps 70 --twice --unchecked';
  const { explorer } = await explore(line);
  expect(explorer.asked[0].request).toMatchObject({
    ...{
      design: 'as shipped',
      strategy: { kind: 'bounded', preemptions: 2 },
      twice: true,
      checked: false,
    },
    bounds: { schedules: 900, seconds: 1.5, steps: 70 },
  });
  const plain = (await explore('structures/mutex')).explorer.asked[0].request;
  expect(plain).toMatchObject({ twice: false, checked: true });
  for (const option of ['strategy', 'bounds', 'replay', 'resume']) expect(plain).not.toHaveProperty(option);
});

test.each([
  ['--strategy dpor', { kind: 'dpor' }],
  ['--strategy random', { kind: 'random', seed: 1 }],
  ['--strategy pct:3 --seed 9', { kind: 'pct', depth: 3, seed: 9 }],
  ['--seed 9', { kind: 'random', seed: 9 }], // the scenario's own, from another seed
])('%s', async (options, strategy) => {
  expect((await explore(`001/t0-t3 ${options}`)).explorer.asked[0].request.strategy).toEqual(strategy);
});

const TOKEN = encodeToken('000/domain-free', 'no count', [[0, 3]], 77);

test('a token replays its scenario and design, named or not', async () => {
  for (const line of [
    ['--replay', TOKEN],
    ['000/domain-free', '--design', 'no count', '--replay', TOKEN],
  ]) {
    const ran = await explore(line);
    expect(namesOf(ran)).toEqual(['000/domain-free no count']);
    expect(ran.explorer.asked[0].request.replay).toBe(TOKEN);
    expect(ran.out).toContain('lost wake-up: bob sleeps');
  }
});

test.each([
  ['', 'name a scenario, or give --all; --list names them'],
  ['nowhere', 'no scenario is named "nowhere"'],
  ['structures/* 9*', 'no scenario is named "9*"'],
  ['--all 000/domain-free', '--all leaves nothing to name'],
  ['000/domain-free --design other', '--design = "other": must be one of "no count", "counted"'],
  ['--all --strategy best', '--strategy = "best": must be dpor, bounded:N, pct:N or random'],
  ['--all --strategy bounded', '--strategy = "bounded": must be'],
  ['--all --strategy dpor:2', '--strategy = "dpor:2": must be'],
  ['--all --strategy pct:0', '--strategy = "0": must be a whole number from 1 to 100'],
  ['--all --seed -1', '--seed = "-1": must be a whole number'],
  ['--all --schedules 0', '--schedules = "0": must be a whole number from 1'],
  ['--all --seconds soon', '--seconds = "soon": must be a number above 0'],
  ['--all --steps 1e3', '--steps = "1e3": must be a whole number'],
  ['000/domain-free --resume x', '--resume goes on with one scenario and design, these are 2'],
  ['structures/mutex --resume x --seed 2', "option '--resume <token>' cannot be used with option '--seed <n>'"],
  ['--replay v1:x', '--replay: decodeToken: token = "v1:x": must be'],
  [`001/t0-t3 --replay ${TOKEN}`, '--replay: the token is of 000/domain-free, not of 001/t0-t3'],
  [`--design counted --replay ${TOKEN}`, '--replay: the token is of design "no count", not of "counted"'],
  [`--all --replay ${TOKEN}`, "option '--replay <token>' cannot be used with option '--all'"],
  [`--seconds 3 --replay ${TOKEN}`, "option '--replay <token>' cannot be used with option '--seconds <n>'"],
  ['--all --json nowhere/x.json', '--json = "nowhere/x.json": cannot be written: ENOENT'],
])('%s: said in a line, exit code 2, nothing is explored', async (line, message) => {
  const ran = await explore(line);
  expect(ran.err).toContain(message);
  expect(ran).toMatchObject({ code: 2, out: '' });
  expect(ran.explorer.asked).toEqual([]);
});

test('one design alone is told in full: what was asked, how far it came, outcomes, the finding', async () => {
  const outcomes = [{ name: 'both wait', grade: 'interesting', count: 3 }] as const;
  const { out } = await explore('001/t0-t3', { spoil: (result) => ({ ...result, outcomes }) });
  expect(out).toMatch(
    /^001\/t0-t3, design "as drawn": What is asked of 001\/t0-t3\?\nlost wake-up after 17 schedules \(dpor\)\n\* 3 {2}both wait/,
  );
  expect(out).toContain('◂ preempts alice');
  expect(out).not.toContain('seconds'); // the table is for many
});

test('many are a table, and a finding that was expected is not told in full', async () => {
  const { out, code, err } = await explore('--all');
  expect(code).toBe(0);
  expect(out).toContain('│ 001/t0-t3');
  expect(out).not.toContain('◂');
  expect(err.split('\n')).toContain('3/5 001/t0-t3, as drawn: lost wake-up after 17 schedules');
});

test('what is not as expected fails the run, says which, and is told in full', async () => {
  const spoil: FakeAnswers['spoil'] = (result) => {
    if (result.design === 'counted') return makeFailing({ ...result, finding: makeFinding() });
    return result.design === 'as drawn'
      ? makeCut({ ...result, finding: undefined, endedBy: 'schedules', bound: '9 schedules' })
      : result;
  };
  const { out, code, err } = await explore('--all', { spoil });
  expect(code).toBe(1);
  expect(err).toContain(
    'not as expected: 000/domain-free, design "counted": expected that it holds, but lost wake-up: bob',
  );
  expect(err).toContain('not as expected: 001/t0-t3, design "as drawn": expected that it fails, but nothing found');
  expect(err.match(/not as expected/g)).toHaveLength(2);
  expect(out).toContain('◂ preempts alice');
  expect(out).toContain('✗ lost wake-up');
});

test('goes on where a token says', async () => {
  const { explorer } = await explore('structures/mutex --resume r1:x');
  expect(explorer.asked[0].request.resume).toBe('r1:x');
});

test('what was cut by a bound says how to go on, with what its token does not say', async () => {
  const spoil = (): ReturnType<typeof makeResult> => makeCut();
  const { out, code } = await explore('structures/mutex --strategy pct:3 --unchecked --steps 90', { spoil });
  expect(code).toBe(0);
  expect(out).toContain(
    'go on: faultline explore structures/mutex --design "as shipped" --unchecked --steps 90 --resume v1:resume\n',
  );
});

test('interrupted, it says how far it came and how to go on, and exits with 130', async () => {
  const json = file('partial.json');
  const { out, err, code, explorer } = await explore(`--all --json ${json}`, { waitAfter: 2, abortAfterMs: 20 });
  expect(code).toBe(130);
  expect(explorer.asked).toHaveLength(3);
  expect(err).toContain('interrupted: 2 of 5 were explored\n  001/t0-t3, as drawn: 5,000 schedules, interrupted\n');
  expect(out).toContain('go on: faultline explore 001/t0-t3 --design "as drawn" --resume r1:5000\n');
  expect(jsonResultsSchema.parse(JSON.parse(readFileSync(json, 'utf8')))).toHaveLength(3);
});

test('an engine that does not stop is left behind after 2 s', async () => {
  const started = performance.now();
  const { code, err, out } = await explore('--all', { waitAfter: 1, abortAfterMs: 20, deaf: true });
  expect(code).toBe(130);
  expect(err).toContain('threads were still running 2000 ms after the signal');
  expect(out).toContain('│ 000/domain-free');
  expect(performance.now() - started).toBeLessThan(4000);
});

test('an engine that fails is heard, after what was explored', async () => {
  const spoil: FakeAnswers['spoil'] = (result) => {
    if (result.design === 'as drawn') throw new Error('worker 3 died');
    return result;
  };
  await expect(explore('--all', { spoil })).rejects.toThrow('worker 3 died');
});

test('writes the table as JSON, and a drawing and a test for each finding', async () => {
  const [json, html, save] = [file('all.json'), file('found.html'), file('found.test.ts')];
  const { err } = await explore(`--all --json ${json} --html ${html} --save ${save}`);
  expect(jsonResultsSchema.parse(JSON.parse(readFileSync(json, 'utf8')))).toHaveLength(5);
  for (const name of ['found.html', 'found-2.html'])
    expect(readFileSync(file(name), 'utf8')).toMatch(/^<!doctype html>/);
  const second = readFileSync(file('found-2.test.ts'), 'utf8');
  expect(second).toMatch(/import \{ window \} from '(\.\.\/)+lab\/scenarios\/001\/t0-t3\.ts';/);
  expect(err).toContain('found-2.test.ts: lost wake-up, 001/t0-t3, as drawn\n');
});

test('writes a document that says how it was made', async () => {
  const markdown = file('all.md');
  await explore(['structures/*', '000/domain-free', '--seconds', '5', '--markdown', markdown]);
  const page = readFileSync(markdown, 'utf8');
  expect(page).toContain(
    `Made by \`faultline explore 'structures/*' 000/domain-free --seconds 5 --markdown ${markdown}\``,
  );
  expect(page).toContain(`Node ${process.versions.node}`);
  for (const name of ['000/domain-free', 'structures/mutex', 'structures/mutex-handover'])
    expect(page).toContain(`### \`${name}\``);
});

test('a reader who is slow gets all of it before the program goes on', async () => {
  const parts: string[] = [];
  const slow = new Writable({
    highWaterMark: 1,
    write: (part: Buffer, _encoding, next) => setImmediate(() => next(void parts.push(String(part)))),
  });
  let all = '';
  const program = new Command('faultline');
  const host = { loadScenarios: async () => SCENARIOS, explorer: fakeExplorer(), signal: new AbortController().signal };
  addExploreCommands(program, { ...host, out: slow, err: { write: () => true } }, () => {
    all = parts.join('');
  });
  await program.parseAsync(['explore', '--all'], { from: 'user' });
  expect(all).toMatch(/└.*┘\n$/);
});

test('where nothing is found there is no file', async () => {
  const html = file('none.html');
  const { err, code } = await explore(`structures/mutex --html ${html}`);
  expect(code).toBe(0);
  expect(err).toContain(`--html: nothing was found, so ${html} was not written`);
  expect(existsSync(html)).toBe(false);
});
