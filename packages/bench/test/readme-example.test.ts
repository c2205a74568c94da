import { expect, test } from 'vitest';
import { readExamples, readFiles } from './readme-example.ts';

test('takes the fences that are marked, and no other', () => {
  const readme = '# x\n```ts\nnot();\n```\n```ts example\nfirst();\n\nmore();\n```\n```ts example\nsecond();\n```\n';
  expect(readExamples(readme, 'README.md')).toEqual([
    { code: 'first();\n\nmore();\n', line: 6 },
    { code: 'second();\n', line: 11 },
  ]);
});

test('says when there is none, or it does not end', () => {
  expect(() => readExamples('# x\n```ts\n```\n', 'core/README.md')).toThrow('core/README.md: no example');
  expect(() => readExamples('```ts example\nfirst();\n', 'core/README.md')).toThrow('core/README.md:1: the example');
});

test('takes each fence that names a file', () => {
  const readme = '# x\n```ts a.ts\na();\n```\n```ts\nnot();\n```\n```ts b-c.ts\nb();\n\nc();\n```\n';
  expect(readFiles(readme)).toEqual(new Map([['a.ts', 'a();\n'], ['b-c.ts', 'b();\n\nc();\n']])); // biome-ignore format: pairs
});
