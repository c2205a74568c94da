import { expect, test } from 'vitest';
import { SELF } from '../costs/subject.ts';
import { faultFileSubject, faultFileSubjects } from './fault-file.ts';
import { ByteReader, makeRigArena, openRig, Trigger, TypedReader } from './fault-rig.ts';
import { IoasRig } from './ioas-rig.ts';
import { ioctlSubjects } from './ioctl.ts';
import { attack } from './keys.ts';
import { renderIommufd } from './tables.ts';

test.each([
  ['typed calls', TypedReader],
  ['bytes', ByteReader],
] as const)('every fault is read and answered once, by %s', (_, Reader) => {
  const answers: number[] = [];
  const arena = makeRigArena();
  const ops = { pageResponse: (_at: number, code: number) => void answers.push(code), flushResponses() {} };
  const machine = openRig(arena, SELF, ops);
  machine.system.reader.online();
  const trigger = new Trigger(machine);
  for (const batch of [1, 64]) {
    const reader = new Reader(machine, batch);
    trigger.report(100);
    let read = 0;
    for (let step = reader.step(); step !== 0; step = reader.step()) read += step;
    expect(read).toBe(100);
  }
  expect(answers).toEqual(Array.from({ length: 200 }, () => 0));
});

test('a page is mapped once and unmapped once, by bytes and by call', () => {
  const rig = new IoasRig(4);
  rig.mapBytes(3);
  expect(() => rig.map(3)).toThrow(/EEXIST|iova/);
  rig.unmap(3);
  rig.map(3);
  rig.unmapBytes(3);
  expect(() => rig.unmapBytes(3)).toThrow(/nothing is mapped/);
});

test('a device that uses a number twice harms who answers by it, and nobody who answers by cookies', () => {
  expect(attack('cookie')).toEqual({ kind: 'cookie', pairs: 100, astray: 0, refused: 0, unanswered: 0 });
  expect(attack('group id')).toEqual({ kind: 'group id', pairs: 100, astray: 100, refused: 100, unanswered: 100 });
});

test.each([...faultFileSubjects, ...ioctlSubjects])('$name: what is measured does what it says', ({ costs }) => {
  for (const { run, before } of costs()) {
    before?.();
    run();
  }
});

test('what is printed stands beside what it is to be compared with', () => {
  const row = (subject: string, name: string, median: number) => ({
    subject,
    name,
    median,
    min: median,
    max: median,
    repeats: 1,
  });
  const { name } = ioctlSubjects[0];
  const rows = [
    row(faultFileSubject('typed calls', 64), 'trigger, read, respond', 200),
    row(faultFileSubject('bytes', 64), 'trigger, read, respond', 300),
    row(name, 'map one page, by bytes', 2500),
    row(name, 'map one page, typed call', 1000),
  ];
  const pair = { name: 'pair', kind: 'throughput', median: 5e6, min: 4e6, max: 6e6, repeats: 3, items: 1 } as const;
  const lines = renderIommufd(rows, pair).split('\n');
  const lineOf = (text: string): string => lines.find((line) => line.includes(text)) ?? '';
  expect(lineOf('fault file, bytes')).toContain('1.5 ×');
  expect(lineOf('by bytes')).toContain('2.5 ×');
  expect(lineOf('by bytes')).toContain('≤ 2 µs, missed');
  expect(lineOf('pair')).toContain('1.5 ×'); // a fault in 200 ns, in 300 ns on one thread
});
