import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { decode } from './host.test-help.ts';
import { runDecode } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'faultline-decode-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string): string => join(folder, name);

const PRQ = ['--family', 'vtd', '--queue', 'prq'];
const GOOD = '101 7 0 0';

test.each([
  ['empty', ''],
  ['blank lines and comments', '\n  \n# nothing\n\t#\r\n , ,\n'],
])('no record: %s', async (_, input) => {
  expect(await decode(PRQ, input)).toEqual({ code: 0, out: '', err: '' });
  expect(await decode([...PRQ, '--json', '-'], input)).toEqual({ code: 0, out: '', err: '' });
});

test.each([
  ['101,7,0,0'],
  ['  101 , 7,\t0 0  '],
  ['0x101 0X7 0x0 0'],
  ['0000000000000101 0000000000000007 0 0 # the last one'],
  ['101 7 0 0\r\n'],
  ['\ufeff101 7 0 0'],
])('words as %j', async (input) => {
  const { code, out } = await decode([...PRQ, '--json', '-'], [Buffer.from(input)]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ kind: 'PAGE_REQUEST', fields: { Type: 1, RD: 1, WR: 1, LPIG: 1 } });
});

test('a line that is no record is told by number, and the rest decoded', async () => {
  const lines = [
    GOOD,
    'zz 0 0 0',
    '',
    '1 2 3',
    '# fine',
    '00000000000000001 0 0 0',
    '1 0x 0 0',
    '-1 0 0 0',
    '\u001b[2J',
    GOOD,
  ];
  const { code, out, err } = await decode([...PRQ, '--json', '-'], lines.join('\n'));
  expect(code).toBe(1);
  expect(out.split('\n').length).toBe(3);
  expect(err.split('\n')).toEqual([
    'line 2: w0 = "zz": is no 64-bit hex word',
    'line 4: has 3 words of 64 bits, a record 4 or 2',
    'line 6: w0 = "00000000000000001": is no 64-bit hex word',
    'line 7: w1 = "0x": is no 64-bit hex word',
    'line 8: w0 = "-1": is no 64-bit hex word',
    'line 9: w0 = "?[2J": is no 64-bit hex word',
    '',
  ]);
});

test.each([
  [['--family', 'intel', '--queue', 'prq'], '--family = "intel": must be one of smmu-v3, vtd, amd'],
  [['--family', 'amd', '--queue', 'prq'], '--queue = "prq": amd has ppr, cmd, event'],
  [['--family', 'toString', '--queue', 'prq'], '--family = "toString"'],
  [[...PRQ, '/nowhere/records'], '"/nowhere/records": cannot be read: ENOENT'],
  [[...PRQ, tmpdir()], 'cannot be read: EISDIR'],
  [[...PRQ, '--json', '/nowhere/out'], '--json = "/nowhere/out": cannot be written: ENOENT'],
])('refused: %j', async (args, message) => {
  const { code, err } = await decode(args, GOOD);
  expect(code).toBe(2);
  expect(err).toContain(message);
});

test('from a file, into a file', async () => {
  writeFileSync(file('records'), `${GOOD}\nnone\n${GOOD}`);
  const { code, out, err } = await decode([...PRQ, '--json', file('out.json'), file('records')]);
  expect(code).toBe(1);
  expect(out.match(/^line.*/gm)).toEqual(['line 1: PAGE_REQUEST', 'line 3: PAGE_REQUEST']);
  expect(err).toContain('line 2: ');
  const objects = readFileSync(file('out.json'), 'utf8').trim().split('\n');
  expect(objects.map((line) => JSON.parse(line).kind)).toEqual(['PAGE_REQUEST', 'PAGE_REQUEST']);
  const same = await decode([...PRQ, '--json', file('records'), file('records')]);
  expect(same.code).toBe(2);
  expect(readFileSync(file('records'), 'utf8')).toContain('none'); // and not overwritten
});

test('- is standard input', async () => {
  expect((await decode([...PRQ, '-'], GOOD)).out).toContain('line 1: PAGE_REQUEST');
});

test('pieces that end anywhere, a line without an end among them', async () => {
  const text = Buffer.from(`${GOOD} # ü\n${'1'.repeat(9000)}\n${GOOD} # ${'long '.repeat(2000)}\n${GOOD}`);
  const outcomes = new Set<string>();
  for (const size of [1, 2, 3, 7, 4096, 100_000]) {
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
      text.subarray(i * size, (i + 1) * size),
    );
    const { code, out, err } = await decode(PRQ, pieces);
    outcomes.add(JSON.stringify({ code, lines: out.match(/^line \d+/gm), err }));
  }
  expect([...outcomes]).toEqual([
    JSON.stringify({
      code: 1,
      lines: ['line 1', 'line 3', 'line 4'],
      err: 'line 2: is longer than 4096 characters\n',
    }),
  ]);
});

test('records are printed as they come, before the input ends', async () => {
  const seen: number[] = [];
  let out = '';
  async function* slow(): AsyncGenerator<string> {
    for (let i = 0; i < 3; i++) {
      yield `${GOOD}\n`;
      seen.push(out.split('\n').length - 1);
    }
  }
  const sink = { write: (part: string) => (out += part) };
  const host = { input: slow(), out: sink, err: sink, signal: new AbortController().signal };
  expect(await runDecode(undefined, { family: 'vtd', queue: 'prq', json: '-' }, host)).toBe(0);
  expect(seen).toEqual([1, 2, 3]);
});

test('a signal ends it, though the input says nothing', async () => {
  const controller = new AbortController();
  async function* silent(): AsyncGenerator<string> {
    yield `${GOOD}\n`;
    setImmediate(() => controller.abort());
    await new Promise(() => {});
  }
  const { code, out } = await decode(PRQ, silent(), controller.signal);
  expect(code).toBe(130);
  expect(out).toContain('line 1');
});

test('who reads no more is left alone', async () => {
  let taken = 0;
  let asked = 0;
  const out = new Writable({
    write: (_chunk, _encoding, done) =>
      done(++taken > 2 ? Object.assign(new Error('closed'), { code: 'EPIPE' }) : null),
  });
  function* endless(): Generator<string> {
    while (asked < 1000) {
      asked++;
      yield `${GOOD}\n`;
    }
  }
  const host = { input: Readable.from(endless()), out, err: out, signal: new AbortController().signal };
  expect(await runDecode(undefined, { family: 'vtd', queue: 'prq' }, host)).toBe(0);
  expect(taken).toBe(3);
  expect(asked).toBeLessThan(1000);
});

test('100,000 records', { timeout: 20_000 }, async () => {
  const page = `${`${GOOD}\n`.repeat(1000)}`;
  const started = performance.now();
  const { code, out } = await decode(
    [...PRQ, '--json', '-'],
    Array.from({ length: 100 }, () => page),
  );
  expect(code).toBe(0);
  expect(out.match(/\n/g)?.length).toBe(100_000);
  expect(performance.now() - started).toBeLessThan(15_000); // 1.3 s on an idle machine
});
