import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countOf, painter, replayCommand, resumeCommand, wrapText } from './text.ts';

test('lines break at spaces, then after punctuation, then where they must', () => {
  expect(wrapText('mutex.word: compareExchange 0 → 1', 20)).toEqual(['mutex.word:', 'compareExchange 0 →', '1']);
  expect(wrapText('core/src/iopf/report-device-fault.ts:112', 24)).toEqual([
    'core/src/iopf/report-',
    'device-fault.ts:112',
  ]);
  expect(wrapText('compareExchange', 6)).toEqual(['compar', 'eExcha', 'nge']);
  expect(wrapText('', 6)).toEqual(['']);
});

test('nothing is lost, and no line is too long', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-c ./:]{0,60}$/), fc.integer({ min: 1, max: 20 }), (text, width) => {
      const lines = wrapText(text, width);
      expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
    }),
  );
});

test.each(['as shipped', `it's "both"`, 'costs $HOME `now` \\ !!', 'two\nlines'])(
  'a shell reads the design back: %j',
  (design) => {
    const command = replayCommand('000/a b', design, 'v1:x');
    const words = execFileSync('sh', ['-c', `printf '%s\\0' ${command}`], { encoding: 'utf8' }).split('\0');
    expect(words).toEqual(['faultline', 'explore', '000/a b', '--design', design, '--replay', 'v1:x', '']);
  },
);

test('a resume token that a shell would take apart is quoted', () => {
  const result = { scenario: 's', design: 'd', resume: `{"a":[1, 'x']}` };
  const words = execFileSync('sh', ['-c', `printf '%s\\0' ${resumeCommand(result, ' --seed 3')}`], {
    encoding: 'utf8',
  });
  expect(words.split('\0').slice(2, -1)).toEqual(['s', '--design', 'd', '--seed', '3', '--resume', result.resume]);
  expect(resumeCommand({ ...result, resume: 'v1:a.b-c' })).toBe('faultline explore s --design "d" --resume v1:a.b-c');
});

test('colours only when asked', () => {
  expect(painter(false)('red', 'x')).toBe('x');
  expect(painter(true)('red', 'x')).toBe('\x1b[31mx\x1b[39m');
});

test('counts', () => {
  expect([countOf(1, 'switch', 'switches'), countOf(0, 'switch', 'switches'), countOf(1204, 'schedule')]).toEqual([
    '1 switch',
    '0 switches',
    '1,204 schedules',
  ]);
});
