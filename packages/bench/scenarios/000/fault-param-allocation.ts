import { type Scenario, scenario, type ThreadContext, type ThreadSpec } from '@faultline/bench/explore';
import { DEVICE_PARAM, PARAM_DEVICE } from '@faultline/core/iopf';
import { FaultSystem, MAINLINE, SHARED } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';

const DEVICE = 1;
const faults = new FaultSystem({
  paths: { 'look, then store': SHARED, 'compare-exchange': SHARED, 'parameter lock': MAINLINE },
});

/** The faulty order: another thread may store its own between the look and the store. */
function lookThenStore({ system }: FaultThread): void {
  const { words, params } = system;
  const deviceAt = system.deviceAt(DEVICE) + DEVICE_PARAM;
  if (Atomics.load(words, deviceAt) !== 0) return;
  const fresh = system.paramCache.alloc();
  words[params.at(fresh) + PARAM_DEVICE] = DEVICE;
  Atomics.store(words, deviceAt, fresh);
}

/** Makes the fault_param unless it is there. @returns the one that its report goes on with. */
const reporter: ThreadSpec<FaultThread> = {
  open: (context: ThreadContext) => faults.open(context),
  run({ design }: ThreadContext, me: FaultThread) {
    if (design === 'look, then store') lookThenStore(me);
    else me.path.addDevice(DEVICE);
    const { words, params } = me.system;
    const param = Atomics.load(words, me.system.deviceAt(DEVICE) + DEVICE_PARAM);
    if (words[params.at(param) + PARAM_DEVICE] !== DEVICE) throw new Error('a fault_param is found before it is made');
    return param;
  },
};

export const faultParamAllocation: Scenario = scenario(import.meta.url, {
  name: '000/fault-param-allocation',
  about: 'Two reports find a device without a fault_param: may they allocate it without a lock?',
  seed: '000',
  source: 'seed 000, step 2; core/src/iopf/generations/lockless-base.ts, install()',
  designs: { 'look, then store': 'fails', 'compare-exchange': 'holds', 'parameter lock': 'holds' },
  memory: faults.memory,
  setup: faults.setup(() => {}),
  threads: { alice: reporter, bob: reporter },
  check(context) {
    const { alice, bob } = context.results;
    const one = alice === bob && faults.at(context).params.live() === 1;
    return one ? 'one fault_param, found by both' : 'two fault_params, one of them lost';
  },
  outcomes: { 'one fault_param, found by both': 'acceptable', 'two fault_params, one of them lost': 'forbidden' },
});
