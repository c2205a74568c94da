import { type Scenario, scenario, type ThreadContext, type ThreadSpec } from '@faultline/bench/explore';
import { attachDomain, DEVICE_PARAM, PARAM_DEVICE, PARAM_PARTIALS, PARAM_USERS } from '@faultline/core/iopf';
import { FaultSystem, MAINLINE, SHARED } from '../kit/fault-system.ts';
import type { FaultThread } from '../kit/fault-thread.ts';
import { chainBelow, refcountLook } from '../kit/racy.ts';

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
  Atomics.store(words, params.at(fresh) + PARAM_USERS, 1);
  Atomics.store(words, deviceAt, fresh);
}

/** Sets one request aside, on the fault_param that it finds or makes. */
function reporter(grpid: number): ThreadSpec<FaultThread> {
  return {
    open: (context: ThreadContext): FaultThread => faults.open(context),
    run(context: ThreadContext, me: FaultThread): void {
      if (context.design === 'look, then store') lookThenStore(me);
      else me.path.addDevice(DEVICE);
      me.report({ grpid, last: false });
      me.leave();
    },
  };
}

export const faultParamAllocation: Scenario = scenario(import.meta.url, {
  name: '000/fault-param-allocation',
  about: 'Two reports find a device without a fault_param: may they allocate it without a lock?',
  seed: '000',
  source: 'seed 000, step 2; core/src/iopf/generations/lockless-base.ts, install()',
  designs: { 'look, then store': 'fails', 'compare-exchange': 'holds', 'parameter lock': 'holds' },
  memory: faults.memory,
  setup: faults.setup((first) => {
    attachDomain(first.system, DEVICE, 0, first.newDomain());
  }),
  threads: { alice: reporter(1), bob: reporter(2) },
  check(context) {
    const system = faults.at(context);
    const param = system.words[system.deviceAt(DEVICE) + DEVICE_PARAM];
    const setAside = system.words[system.params.at(param) + PARAM_PARTIALS];
    const whole = system.params.live() === 1 && setAside === 2;
    return whole ? 'one fault_param has both requests' : 'a fault_param and its request are lost';
  },
  racy: [refcountLook(faults.memory), chainBelow(faults.memory, 'iopf.params')],
  outcomes: {
    'one fault_param has both requests': 'acceptable',
    'a fault_param and its request are lost': 'forbidden',
  },
});
