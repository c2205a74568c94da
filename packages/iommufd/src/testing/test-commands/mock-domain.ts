// Mock devices: made, bound and attached in one step, and ended by DESTROY of what stands for them.
import type { Command, Context, Ucmd } from '../../context/index.ts';
import { attachDevice, bindDevice, detachDevice, replaceDevice, unbindDevice } from '../../device/index.ts';
import { ATTACH_NEXT, ATTACH_PASID } from '../../device/layout.ts';
import { GROUP_ATTACHMENTS } from '../../machine/layout.ts';
import { SELFTEST_DEVICE, SELFTEST_IDEV } from '../../objects/index.ts';
import { OBJ_SELFTEST } from '../../uapi/index.ts';
import type { MockDriver } from '../mock/index.ts';
import { TEST_MOCK_DOMAIN, TEST_MOCK_DOMAIN_FLAGS, TEST_MOCK_DOMAIN_REPLACE } from './layout.ts';

export function mockDomain(driver: MockDriver): Command<typeof TEST_MOCK_DOMAIN> {
  return { struct: TEST_MOCK_DOMAIN, run: (context, ucmd) => make(driver, context, ucmd, 0) };
}

export function mockDomainFlags(driver: MockDriver): Command<typeof TEST_MOCK_DOMAIN_FLAGS> {
  return {
    struct: TEST_MOCK_DOMAIN_FLAGS,
    run: (context, ucmd) => make(driver, context, ucmd, ucmd.args.devFlags),
  };
}

function make(
  driver: MockDriver,
  context: Context,
  { args, respond }: Ucmd<typeof TEST_MOCK_DOMAIN> | Ucmd<typeof TEST_MOCK_DOMAIN_FLAGS>,
  flags: number,
): void {
  const { objects, words } = context;
  const call = 'TEST_MOCK_DOMAIN';
  const undo: (() => void)[] = [];
  try {
    const object = objects.reserve(call, OBJ_SELFTEST);
    undo.push(() => objects.abort(object));
    const device = driver.plugDevice(call, flags);
    undo.push(() => driver.removeDevice(device));
    const idev = bindDevice(context, device, false); // what stands for it goes with the context: it does not keep it
    undo.push(() => unbindDevice(context, idev, false));
    const hwpt = attachDevice(context, idev, { ptId: args.id });
    undo.push(() => detachDevice(context, idev));
    words[objects.at(object) + SELFTEST_DEVICE] = device;
    words[objects.at(object) + SELFTEST_IDEV] = idev;
    args.outStdevId = objects.idOf(object);
    args.outHwptId = hwpt;
    args.outIdevId = idev;
    respond();
    objects.finalize(object);
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

export const mockDomainReplace: Command<typeof TEST_MOCK_DOMAIN_REPLACE> = {
  struct: TEST_MOCK_DOMAIN_REPLACE,
  run(context, { args, respond }) {
    withIdev(context, 'TEST_MOCK_DOMAIN_REPLACE', args.id, (idev) => {
      args.ptId = replaceDevice(context, idev, { ptId: args.ptId });
      respond();
    });
  },
};

/** Runs `body` with the id of the device that a stdev stands for. @throws IommuError ENOENT */
export function withIdev<T>(context: Context, call: string, stdev: number, body: (idev: number) => T): T {
  const { objects, words } = context;
  const object = objects.get(call, 'id', stdev, OBJ_SELFTEST);
  try {
    return body(words[objects.at(object) + SELFTEST_IDEV]);
  } finally {
    objects.put(object);
  }
}

/** How what stands for a mock device ends: detached at every PASID, unbound, unplugged. */
export function endMockDevice(driver: MockDriver, context: Context, objectAt: number): void {
  const { words } = context;
  const idev = words[objectAt + SELFTEST_IDEV];
  const device = words[objectAt + SELFTEST_DEVICE];
  for (const pasid of pasidsOf(context, driver.traits(device).group)) detachDevice(context, idev, pasid);
  unbindDevice(context, idev, false);
  driver.removeDevice(device);
}

/** PASIDs that a group has attached. A mock device has a group to itself, and nobody else attaches it any more. */
function pasidsOf({ machine, words }: Context, group: number): number[] {
  const { attachments } = machine.pools;
  const found: number[] = [];
  for (let at = machine.groupAt(group) + GROUP_ATTACHMENTS; words[at] !== 0; ) {
    const recordAt = attachments.at(words[at]);
    found.push(words[recordAt + ATTACH_PASID]);
    at = recordAt + ATTACH_NEXT;
  }
  return found;
}
