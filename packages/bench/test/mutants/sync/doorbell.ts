import type { Mutant } from '../mutant.ts';

const module = 'core/src/sync/doorbell.ts';

const COUNT = '    Atomics.add(this.#words, this.#seq, 1);\n';
const WHY =
  '    // To all: a waitAsync that its host stopped caring about is still queued, and must not take a notify meant for the next one.\n';
const WAKE = '    if (Atomics.load(this.#words, this.#parked) === 1) Atomics.notify(this.#words, this.#seq); // [W]\n';

export const doorbellMutants: readonly Mutant[] = [
  {
    name: 'ring wakes, and changes SEQ after it',
    module,
    find: COUNT + WHY + WAKE,
    replace: WAKE + COUNT,
    scenario: 'structures/doorbell',
  },
  {
    name: 'ring wakes without changing SEQ',
    module,
    find: COUNT,
    replace: '',
    scenario: 'structures/doorbell',
  },
  {
    name: 'ring does not wake',
    module,
    find: WAKE,
    replace: '',
    scenario: 'structures/doorbell',
  },
  {
    name: 'ring wakes one, which may be a sleep that was dropped',
    module,
    find: 'Atomics.notify(this.#words, this.#seq); // [W]',
    replace: 'Atomics.notify(this.#words, this.#seq, 1);',
    scenario: 'structures/doorbell-dropped',
  },
  {
    name: 'sleep looks for work before it prepares',
    module,
    find: '    const seen = this.prepare();\n    try {\n      if (!hasWork())',
    replace: '    const idle = !hasWork();\n    const seen = this.prepare();\n    try {\n      if (idle)',
    scenario: 'structures/doorbell',
  },
  {
    name: 'sleep does not look for work',
    module,
    find: 'if (!hasWork()) Atomics.wait',
    replace: 'Atomics.wait',
    scenario: 'structures/doorbell',
  },
  {
    name: 'sleep waits on what it finds last',
    module,
    find: 'Atomics.wait(this.#words, this.#seq, seen, timeoutMs);',
    replace: 'Atomics.wait(this.#words, this.#seq, this.rings(), timeoutMs);',
    scenario: 'structures/doorbell',
  },
  {
    name: 'prepare does not announce the sleeper',
    module,
    find: '    Atomics.store(this.#words, this.#parked, 1); // [W]\n',
    replace: '',
    scenario: 'structures/doorbell',
  },
  {
    name: 'sleepAsync waits on what it finds last',
    module,
    find: 'Atomics.waitAsync(this.#words, this.#seq, seen, timeoutMs);',
    replace: 'Atomics.waitAsync(this.#words, this.#seq, this.rings(), timeoutMs);',
    scenario: 'structures/doorbell-async',
  },
];
