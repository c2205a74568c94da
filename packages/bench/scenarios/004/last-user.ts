// Two users of an object that goes with its last one, as an automatic HWPT does, give it up at once.
import { type CheckContext, type Scenario, scenario } from '@faultline/bench/explore';
import { IommuSystem, type IommuThread } from '../kit/iommu-machine.ts';
import { HWPT, IOAS, makeFaulting } from '../kit/iommu-start.ts';
import { destroy } from '../kit/iommufd.ts';

const COUNT_FIRST = 'let go, then look';
const machine = new IommuSystem({ devices: 1, threads: 2, regions: [{ name: 'object', words: 1 }] });

interface User {
  readonly me: IommuThread;
  readonly object: number;
}

/** As one would write it first. */
function letGoThenLook({ me: { context }, object }: User): void {
  context.objects.release(object);
  if (context.objects.users(object) === 0) context.objects.finish('detach', object, 0);
}

const user = {
  open: (context: Parameters<typeof machine.open>[0]): User => ({
    me: machine.open(context),
    object: context.words[context.at('object')],
  }),
  run({ design }: { readonly design: string }, own: User) {
    if (design !== COUNT_FIRST) own.me.context.objects.releaseOrRemove('detach', own.object);
    else letGoThenLook(own);
  },
};

export const lastUser: Scenario = scenario(import.meta.url, {
  name: '004/last-user',
  about:
    'Two users give up an object that goes with its last one: does one of them end it, with nobody at it any more?',
  seed: '004',
  source: 'iommufd/src/objects/object-table.ts, releaseOrRemove()',
  designs: { [COUNT_FIRST]: 'fails', 'the last share goes with the one of the table': 'holds' },
  memory: machine.memory,
  racy: machine.racy,
  setup(context) {
    machine.setup((first) => {
      makeFaulting(first);
      const { objects } = first.context;
      first.call(destroy, { id: HWPT });
      const object = objects.get('setup', 'ioas_id', IOAS);
      objects.put(object);
      objects.hold(object);
      objects.hold(object);
      context.words[context.at('object')] = object;
    })(context);
  },
  threads: { alice: user, bob: user },
  check(context: CheckContext) {
    const { machine: last } = machine.at(context);
    const { ioas, objects } = last.live();
    if (ioas !== 0 || objects !== 2) throw new Error(`${ioas} IOAS and ${objects} objects are left, not 0 and 2`);
  },
});
