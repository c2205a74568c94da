import { expect, test } from 'vitest';
import { parseScenario, ScenarioError } from './file.ts';

const refused = (text: string): string[] => {
  try {
    parseScenario(text, 'run.yaml');
  } catch (error) {
    if (error instanceof ScenarioError) return error.message.split('\n');
    throw error;
  }
  throw new Error('was accepted');
};

test('reads values, and knows their lines', () => {
  const scenario = parseScenario(
    '# small\nthreads: [8, 64]\ngenerations:\n  - locked\n  - lockless\nseconds: 0.5\n',
    'run.yaml',
  );
  expect(scenario.values).toEqual({ threads: [8, 64], generations: ['locked', 'lockless'], seconds: 0.5 });
  expect(scenario.lines.get('seconds')).toBe(6);
});

test('reads what endpoints are to do', () => {
  const { values } = parseScenario('iommu: amd\ngroupPages: 16\natc: true\nmisbehave: storm\n', 'run.yaml');
  expect(values).toEqual({ iommu: 'amd', groupPages: 16, atc: true, misbehave: 'storm' });
  expect(refused('iommu: amd\ngroupPages: 0\nmisbehave: rudely\n')).toEqual([
    'run.yaml:2: groupPages = 0: must be a whole number from 1 to 512',
    expect.stringMatching(/^run\.yaml:3: misbehave = "rudely": must be one of creditsExceeded, /),
  ]);
});

test.each([
  ['an unknown key', 'seed: 1\nthread: [8]\n', ['run.yaml:2: thread: is no parameter']],
  [
    'an option’s spelling',
    'queue-entries: 64\n',
    ['run.yaml:1: queue-entries: is no parameter; queueEntries is meant, perhaps'],
  ],
  [
    'a wrong type',
    'seed: 1\n\nhandlers: many\n',
    ['run.yaml:3: handlers = "many": must be a whole number from 1 to 1024'],
  ],
  ['an empty value', 'handlers:\n', ['run.yaml:1: handlers = null: must be a whole number from 1 to 1024']],
  [
    'an item of a list',
    'threads:\n  - 8\n  - 0\n',
    ['run.yaml:3: threads[1] = 0: must be a whole number from 1 to 4096'],
  ],
  [
    'an unknown generation',
    'generations: [locked, v8]\n',
    ['run.yaml:1: generations[1] = "v8": must be one of locked, v7, mainline, lockless, adaptive'],
  ],
  ['a repeated key', 'seed: 1\nhandlers: 2\nseed: 2\n', ['run.yaml:3: seed: is there twice, first on line 1']],
  ['a list for a file', '- threads\n', ['run.yaml:1: a scenario is a map of parameters, such as `threads: [8, 64]`']],
  ['an empty file', '', ['run.yaml:1: a scenario is a map of parameters, such as `threads: [8, 64]`']],
  ['an alias without its anchor', 'seed: *nowhere\n', ['run.yaml:1: seed: names an anchor that is not there']],
  [
    'all that is wrong',
    'seed: -1\nfoo: 1\n',
    ['run.yaml:1: seed = -1: must be a whole number from 0 to 4294967295', 'run.yaml:2: foo: is no parameter'],
  ],
])('%s is refused with line and key', (_, text, messages) => {
  expect(refused(text)).toEqual(messages);
});

test.each(['threads: [8\nseed: 1\n', 'a: b: c\n', 'seed: !!nothing 1\n'])(
  'what is no YAML is refused with its line: %j',
  (text) => {
    expect(refused(text)[0]).toMatch(/^run\.yaml:[12]: not YAML: ./);
  },
);
