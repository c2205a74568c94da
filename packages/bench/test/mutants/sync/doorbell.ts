import type { Mutant } from '../mutant.ts';

const module = 'core/src/sync/doorbell.ts';

export const doorbellMutants: readonly Mutant[] = [
  {
    name: 'ring looks for the sleeper before it counts',
    module,
    find: '    Atomics.add(this.#words, this.#seq, 1);\n',
    replace:
      '    const parked = Atomics.load(this.#words, this.#parked);\n    Atomics.add(this.#words, this.#seq, 1);\n    if (parked === 0) return;\n',
    scenario: 'structures/doorbell',
  },
  {
    name: 'ring wakes without changing SEQ',
    module,
    find: '    Atomics.add(this.#words, this.#seq, 1);\n',
    replace: '',
    scenario: 'structures/doorbell',
  },
  {
    name: 'ring does not wake',
    module,
    find: 'if (Atomics.load(this.#words, this.#parked) === 1) Atomics.notify(this.#words, this.#seq); // [W]',
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
