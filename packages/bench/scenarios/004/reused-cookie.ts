// An answer that comes twice: its cookie was given out again meanwhile, or not.
import { type Context, type Scenario, scenario } from '@faultline/bench/explore';
import { RESPONSE_INVALID, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import { initXarray, Xarray, xarrayWords } from '@faultline/core/xarray';
import { answersTo } from '../kit/answers.ts';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { makeAttached } from '../kit/iommu-start.ts';
import type { FaultQueue, GroupKeys } from '../kit/iommufd.ts';
import { refusalOf } from '../kit/refusal.ts';

const LOWEST = 'lowest free, as in Linux';
const KEYS = { name: 'keys', words: xarrayWords(1) };
const machine = new IommuSystem({ devices: 1, threads: 2, regions: [KEYS, { name: 'first', words: 1 }] });

/** xa_alloc(): the lowest free index, given out again as soon as it is answered. */
class LowestFree implements GroupKeys {
  readonly slots = 4;
  readonly #held: Xarray;

  constructor({ words, at }: Context) {
    this.#held = new Xarray(words, at(KEYS.name));
  }
  reserve(group: number): number {
    return Math.max(this.#held.alloc(group, 1, this.slots), 0);
  }
  publish(): void {}
  abort(key: number): void {
    this.#held.erase(key);
  }
  redeem(key: number): number {
    return this.#held.erase(key);
  }
  heldAt(slot: number): number {
    return this.#held.load(slot);
  }
  groupOf(_slot: number, held: number): number {
    return held;
  }
  redeemSlot(slot: number, held: number): boolean {
    return this.#held.compareExchange(slot, held, 0) === held;
  }
}

interface User {
  readonly me: IommuThread;
  readonly queue: FaultQueue;
  /** Cookie of the first group. */
  readonly first: number;
}

function open(context: Context, me: IommuThread): User {
  const queue = me.queue(context.design === LOWEST ? new LowestFree(context) : undefined);
  return { me, queue, first: context.words[context.at('first')] };
}

export const reusedCookie: Scenario = scenario(import.meta.url, {
  name: '004/reused-cookie',
  about: 'A group is answered twice, and the next one delivered in between: does the second answer go to the next?',
  seed: '004',
  source: 'iommufd/src/fault-queue/cookie-table.ts',
  designs: { [LOWEST]: 'fails', 'with a generation': 'holds' },
  memory: machine.memory,
  racy: machine.racy,
  setup(context) {
    initXarray(context.words, context.at(KEYS.name), 1);
    machine.setup((first) => {
      makeAttached(first);
      first.fault({ grpid: 1 });
      first.machine.answering(() => {
        context.words[context.at('first')] = open(context, first).queue.next();
      });
    })(context);
  },
  threads: {
    user: {
      open: (context) => open(context, machine.open(context)),
      run(_context, { me, queue, first }: User) {
        me.machine.answering(() => {
          refusalOf(() => queue.respond(first, RESPONSE_SUCCESS));
          me.fault({ grpid: 2 }); // in the record of the first, if that is free
          if (queue.next() === 0) throw new Error('the second group is not delivered');
        });
      },
    },
    again: {
      open: (context) => open(context, machine.open(context)),
      run(_context, { me, queue, first }: User) {
        me.machine.answering(() => refusalOf(() => queue.respond(first, RESPONSE_INVALID)));
      },
    },
  },
  check(context) {
    if (answersTo(context, 1, 1) !== 1) throw new Error(`group 1 has ${answersTo(context, 1, 1)} answers`);
    if (answersTo(context, 1, 2) !== 0) throw new Error('group 2 has an answer that was meant for group 1');
    machine.expectSettled(context, 1);
  },
});
