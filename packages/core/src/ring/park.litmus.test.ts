import { expect, test } from 'vitest';
import { everyInterleaving, NOTIFY, type Thread } from './interleavings.test-help.ts';

// The wake-up protocol of spsc.ts in a few lines: PARKED is the PROD that is slept on. Two publishes, so that the second one
// is seen to notify nobody in vain and to strand nobody.
type Ring = { prod: number; parked: number; notified: number };

function* publishTwice(w: Ring): Thread {
  for (let before = 0; before < 2; before++) {
    w.prod = before + 1;
    yield;
    if (w.parked === before) {
      w.notified++;
      yield NOTIFY;
    }
    yield;
  }
  return undefined;
}

function* takeTwo(w: Ring): Thread {
  let sleeps = 0;
  for (let at = 0; at < 2; ) {
    const prod = w.prod;
    yield;
    if (prod !== at) at = prod;
    else {
      w.parked = at;
      yield;
      if (yield () => w.prod === at) sleeps++;
    }
  }
  return `slept ${sleeps}`;
}

test('a published slot is never slept on', () => {
  const outcomes = everyInterleaving({ prod: 0, parked: -1, notified: 0 }, { publish: publishTwice, take: takeTwo });
  expect(outcomes).toEqual(['take: slept 0', 'take: slept 1', 'take: slept 2']);
});

test('a sleep is notified once, however slow the sleeper is to get up', () => {
  const outcomes = everyInterleaving(
    { prod: 0, parked: -1, notified: 0 },
    {
      *publish(w: Ring): Thread {
        yield* publishTwice(w);
        return `notified ${w.notified}`;
      },
      *take(w: Ring): Thread {
        w.parked = 0;
        yield;
        return (yield () => w.prod === 0) ? 'slept' : 'not equal';
      },
    },
  );
  expect(outcomes).toEqual([
    'publish: notified 0, take: not equal',
    'publish: notified 1, take: not equal',
    'publish: notified 1, take: slept',
  ]);
});

test('a sleep that does not compare PROD again loses a wake-up, and is found to', () => {
  const outcomes = everyInterleaving(
    { prod: 0, parked: -1, notified: 0 },
    {
      publish: publishTwice,
      *take(w: Ring): Thread {
        const empty = w.prod === 0;
        yield;
        w.parked = 0;
        yield;
        return empty && (yield () => true) ? 'woken' : 'not empty';
      },
    },
  );
  expect(outcomes).toContain('take: asleep');
});

// The work ring's: PARKED counts, and the sleep is on PROD.
type Work = { prod: number; cons: number; parked: number };

test('a value in the work ring is never slept on', () => {
  function* take(w: Work): Thread {
    for (;;) {
      const cons = w.cons;
      yield;
      const prod = w.prod;
      yield;
      if (prod !== cons) {
        w.cons = cons + 1;
        return 'took';
      }
      w.parked++;
      yield;
      const seen = w.prod;
      yield;
      if (w.cons === seen) {
        yield;
        yield () => w.prod === seen;
      }
      w.parked--;
      yield;
    }
  }
  const outcomes = everyInterleaving(
    { prod: 0, cons: 0, parked: 0 },
    {
      *publish(w: Work): Thread {
        for (let value = 1; value < 3; value++) {
          w.prod = value;
          yield;
          if (w.parked > 0) yield NOTIFY;
          yield;
        }
        return undefined;
      },
      a: take,
    },
  );
  expect(outcomes).toEqual(['a: took']);
});
