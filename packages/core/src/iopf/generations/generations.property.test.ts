import fc from 'fast-check';
import { describe, test } from 'vitest';
import { attachDomain } from '../attach.ts';
import { allocDomain } from '../domain.ts';
import { GROUP_COUNT, HANDLER_NOOP, REQUEST_WORDS } from '../layout.ts';
import { FAULT_DEVICE, FAULT_GRPID, type ResponseCode } from '../record.ts';
import { OneThread } from '../testing/bench-system.ts';
import { GENERATIONS } from './index.ts';

const VARIANTS = [...GENERATIONS.map((generation) => [generation, 'split'] as const), ['lockless', 'shared'] as const];
const DEVICES = 2;

type Step =
  | { readonly do: 'report'; readonly device: number; readonly grpid: number; readonly last: boolean }
  | { readonly do: 'finish'; readonly which: number; readonly code: ResponseCode }
  | { readonly do: 'discard'; readonly device: number }
  | { readonly do: 'respondPending'; readonly device: number };

const device = fc.integer({ min: 1, max: DEVICES });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('report' as const), device, grpid: fc.nat(3), last: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('finish' as const), which: fc.nat(31), code: fc.constantFrom(0, 1, 2) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('discard' as const), device }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('respondPending' as const), device }) },
);

/** What every generation must agree with, in counts: set-aside requests by device and group id, and answers owed. */
class Model {
  readonly partials = new Map<string, number>();
  readonly owed = new Map<string, number>();

  add(map: Map<string, number>, key: string, n: number): void {
    map.set(key, (map.get(key) ?? 0) + n);
  }
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** Runs the steps against one generation and the model; the end frees everything. */
function play(one: OneThread, steps: readonly Step[]): void {
  const { words, requests } = one.system;
  const model = new Model();
  const held: number[] = [];
  const at = (group: number): number => requests.objects + group * REQUEST_WORDS;
  const keyOf = (group: number): string => `${words[at(group) + FAULT_DEVICE]}/${words[at(group) + FAULT_GRPID]}`;
  const takeAll = (): void => {
    for (const group of one.take()) {
      const members = (model.partials.get(keyOf(group)) ?? 0) + 1;
      check(words[at(group) + GROUP_COUNT] === members, `group of ${words[at(group) + GROUP_COUNT]}, not ${members}`);
      model.partials.delete(keyOf(group));
      model.add(model.owed, keyOf(group), 1);
      held.push(group);
    }
  };
  const finish = (index: number, code: ResponseCode): void => {
    const [group] = held.splice(index, 1);
    const key = keyOf(group);
    const before = one.ops.answers.length;
    const answered = one.finish(group, code);
    check(one.ops.answers.length - before === (answered ? 1 : 0), 'says what it answered');
    if (answered) model.add(model.owed, key, -1);
  };
  for (const each of steps) {
    if (each.do === 'report') {
      const key = `${each.device}/${each.grpid}`;
      one.report({ device: each.device, grpid: each.grpid, last: each.last });
      if (!each.last) model.add(model.partials, key, 1);
      takeAll();
    } else if (each.do === 'finish' && held.length > 0) finish(each.which % held.length, each.code);
    else if (each.do === 'discard') {
      let expected = 0;
      for (const [key, count] of model.partials) {
        if (!key.startsWith(`${each.device}/`)) continue;
        expected += count;
        model.partials.delete(key);
      }
      const dropped = one.path.discardPartial(each.device);
      check(dropped === expected, `discarded ${dropped}, not ${expected}`);
    } else if (each.do === 'respondPending') {
      const answered = one.path.respondPending(each.device, 1);
      if (answered === -1) continue;
      let expected = 0;
      for (const [key, count] of model.owed) {
        if (!key.startsWith(`${each.device}/`)) continue;
        expected += count;
        model.owed.set(key, 0);
      }
      check(answered === expected, `answered ${answered} pending, not ${expected}`);
    }
  }
  while (held.length > 0) finish(0, 0);
  for (const [key, count] of model.owed) check(count === 0, `${count} groups of ${key} were not answered`);
  for (let each = 1; each <= DEVICES; each++)
    check(one.path.removeDevice(each) !== 'busy', 'removal finds nothing pending');
  one.settle();
  check(one.path.isReleased(), 'every fault_param is free');
  one.path.close();
  check(one.system.requests.live() === 0, `${one.system.requests.live()} requests leaked`);
  check(one.system.pending.read(1) === 0, `${one.system.pending.read(1)} faults still pending`);
}

describe.each(VARIANTS)('%s (%s)', (generation, sharing) => {
  test('any run of reports, answers, discards and PRI-off agrees with the model and leaves nothing', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const one = new OneThread(generation, { sharing });
        const domain = allocDomain(one.system, { handler: HANDLER_NOOP });
        for (let each = 1; each <= DEVICES; each++) {
          one.path.addDevice(each);
          attachDomain(one.system, each, 0, domain);
        }
        play(one, steps);
      }),
      { numRuns: 150 },
    );
  });
});
