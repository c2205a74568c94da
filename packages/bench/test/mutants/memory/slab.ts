import type { Mutant } from '../mutant.ts';

const module = 'core/src/memory/slab-cache.ts';

export const slabMutants: readonly Mutant[] = [
  {
    name: 'HEAD has no tag: the same chain back on top passes for one never taken',
    module,
    find: 'const TAG_ONE = 1 << INDEX_BITS;',
    replace: 'const TAG_ONE = 0 * INDEX_BITS;',
    scenario: 'structures/slab-aba',
  },
  {
    name: 'a chain is pushed before it is linked to those below',
    module,
    find: `      words[this.#records + first * RECORD_WORDS + NEXT_CHAIN] = seen & INDEX_MASK;
      const found = Atomics.compareExchange(words, this.#head, seen, (seen & ~INDEX_MASK) | first); // [P]`,
    replace: `      const found = Atomics.compareExchange(words, this.#head, seen, (seen & ~INDEX_MASK) | first);
      words[this.#records + first * RECORD_WORDS + NEXT_CHAIN] = seen & INDEX_MASK;`,
    scenario: 'structures/slab',
  },
  {
    name: 'a push that another was faster than does not try again',
    module,
    find: 'if (found === seen) return;',
    replace: 'return;',
    scenario: 'structures/slab',
  },
  {
    name: 'fresh objects are handed out in two steps',
    module,
    find: 'const found = Atomics.compareExchange(words, this.#fresh, seen, last);',
    replace:
      'const found = Atomics.load(words, this.#fresh); if (found === seen) Atomics.store(words, this.#fresh, last);',
    scenario: 'structures/slab',
  },
  {
    name: 'an object is given away before it is marked free',
    module,
    find: `    if (this.#checked) {
      this.#freeChecked(index, record, meta, freed);
    } else {
      words[record + FREED_BY] = this.#id;
      words[record + META] = freed; // [M]
    }
    this.#cached[this.#count++] = index;
    if (this.#count === this.#spillAt) this.#spill(this.#batch);`,
    replace: `    this.#cached[this.#count++] = index;
    if (this.#count === this.#spillAt) this.#spill(this.#batch);
    if (this.#checked) {
      this.#freeChecked(index, record, meta, freed);
    } else {
      words[record + FREED_BY] = this.#id;
      words[record + META] = freed;
    }`,
    scenario: 'structures/slab',
  },
  {
    name: 'what does not fit of a longer chain is forgotten',
    module,
    find: 'if (index !== 0) this.#push(index);',
    replace: '',
    scenario: 'structures/slab-chains',
  },
  {
    name: 'a chain is pushed before its objects are linked',
    module,
    find: `      words[this.#records + index * RECORD_WORDS + LINK] = next;
      next = index;
    }
    this.#push(next);`,
    replace: `      next = index;
    }
    this.#push(next);
    for (let i = 0; i < count; i++) words[this.#records + this.#cached[this.#count + i] * RECORD_WORDS + LINK] = i + 1 < count ? this.#cached[this.#count + i + 1] : 0;`,
    scenario: 'structures/slab-chains',
  },
  {
    name: 'a checked free stores its state without comparing',
    module,
    find: 'if (Atomics.compareExchange(words, record + META, meta, freed) !== meta)',
    replace: 'if (Atomics.store(words, record + META, freed) !== freed)',
    scenario: 'structures/slab-double-free',
  },
];
