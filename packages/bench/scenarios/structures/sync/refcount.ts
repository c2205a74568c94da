// References in one word: who puts the last one frees, once, and nobody uses the object after that.
import { type Scenario, scenario } from '@faultline/bench/explore';
import { refcountGet, refcountIncNotZero, refcountInit, refcountPut } from '@faultline/core/sync';

const LIVE = 7;
const FREED = -1;

/** Uses the object: the caller has a reference. */
function use(words: Int32Array, at: number): void {
  if (words[at] !== LIVE) throw new Error(`used an object whose value is ${words[at]}`);
}

/** Gives a reference up, and frees the object with the last one. @returns how often this freed it. */
function put(words: Int32Array<SharedArrayBuffer>, count: number, value: number): number {
  if (!refcountPut(words, count)) return 0;
  words[value] = FREED; // plain: races with any use that is not ordered before it
  return 1;
}

function checkFreedOnce(words: Int32Array, count: number, results: Readonly<Record<string, number>>): void {
  const frees = Object.values(results).reduce((sum, freed) => sum + freed, 0);
  if (frees !== 1) throw new Error(`the object was freed ${frees} times`);
  if (words[count] !== 0) throw new Error(`freed with ${words[count]} references left`);
}

export const holders: Scenario = scenario(import.meta.url, {
  name: 'structures/refcount',
  about: 'Two holders take one more reference each and put both: does exactly the last put free, after the last use?',
  source: 'core/src/sync/refcount.ts',
  memory: [
    { name: 'count', words: 1 },
    { name: 'object', words: 1, fields: { VALUE: 0 } },
  ],
  setup({ words, at }) {
    refcountInit(words, at('count'), 2);
    words[at('object')] = LIVE;
  },
  threads: {
    alice: {
      run({ words, at }) {
        refcountGet(words, at('count'));
        const freedEarly = put(words, at('count'), at('object'));
        use(words, at('object'));
        return freedEarly + put(words, at('count'), at('object'));
      },
    },
    bob: {
      run({ words, at }) {
        refcountGet(words, at('count'));
        const freedEarly = put(words, at('count'), at('object'));
        use(words, at('object'));
        return freedEarly + put(words, at('count'), at('object'));
      },
    },
  },
  check: ({ words, at, results }) => checkFreedOnce(words, at('count'), results),
});

export const lookUp: Scenario = scenario(import.meta.url, {
  name: 'structures/refcount-look-up',
  about:
    'A look-up takes a reference while the owner unlinks the object and puts the last one: is the dead one revived?',
  source: 'core/src/sync/refcount.ts, refcountIncNotZero',
  memory: [
    { name: 'link', words: 1 },
    { name: 'count', words: 1 },
    { name: 'object', words: 1, fields: { VALUE: 0 } },
  ],
  setup({ words, at }) {
    words[at('link')] = 1;
    refcountInit(words, at('count'), 1);
    words[at('object')] = LIVE;
  },
  threads: {
    owner: {
      run({ words, at }) {
        Atomics.store(words, at('link'), 0);
        return put(words, at('count'), at('object'));
      },
    },
    // The count's own word stays a count for ever here, as in a slab: that is what a look-up without a reference needs.
    reader: {
      run({ words, at }) {
        if (Atomics.load(words, at('link')) === 0) return 0;
        if (!refcountIncNotZero(words, at('count'))) return 0;
        use(words, at('object'));
        return put(words, at('count'), at('object'));
      },
    },
    // A second one, so that two take their reference at once.
    other: {
      run({ words, at }) {
        if (!refcountIncNotZero(words, at('count'))) return 0;
        use(words, at('object'));
        return put(words, at('count'), at('object'));
      },
    },
  },
  check({ words, at, results }) {
    checkFreedOnce(words, at('count'), results);
    return results.owner === 1 ? 'the owner freed it' : 'a reader freed it';
  },
  outcomes: { 'the owner freed it': 'acceptable', 'a reader freed it': 'acceptable' },
  racy: [
    {
      region: 'count',
      why: 'refcountIncNotZero only guesses from its first look: the compare-exchange decides, and a guess of zero is looked at again.',
    },
  ],
});
