import { expect, test } from 'vitest';
import { triggerMockFault } from '../testing/mock/index.ts';
import { makeRig } from '../testing/rig.test-help.ts';
import { FAULT_QUEUE_ALLOC, HWPT_ALLOC, HWPT_FAULT_ID_VALID, IOAS_ALLOC } from '../uapi/index.ts';
import { attachDevice, bindDevice, detachDevice, unbindDevice } from './index.ts';

test('a device that faults is bound and unbound any number of times: nothing of its faults is left', () => {
  const rig = makeRig({ devices: 2 });
  const { lab, context } = rig;
  const { outFaultId: faultId } = rig.call(FAULT_QUEUE_ALLOC);
  let devId = rig.bind(1);
  const ptId = rig.call(IOAS_ALLOC).outIoasId;
  const hwpt = rig.call(HWPT_ALLOC, { devId, ptId, flags: HWPT_FAULT_ID_VALID, faultId }).outHwptId;
  const { params, requests } = lab.machine.system;
  const times = 2 * params.capacity;
  for (let grpid = 0; grpid < times; grpid++) {
    attachDevice(context, devId, { ptId: hwpt });
    expect(params.live()).toBe(1);
    triggerMockFault(lab.machine, { device: 1, pasid: 0, grpid, perm: 1, page: 16 });
    detachDevice(context, devId);
    unbindDevice(context, devId);
    expect(params.live()).toBe(0);
    devId = bindDevice(context, 1);
  }
  expect(lab.answers.length).toBe(times);
  unbindDevice(context, devId);
  lab.machine.close();
  expect(requests.live()).toBe(0);
});
