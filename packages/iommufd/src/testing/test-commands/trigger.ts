// What hardware would bring: a page request, an event.
import { IommuError } from '@faultline/core/errors';
import type { Command, Context } from '../../context/index.ts';
import { findAttachment } from '../../device/attachments.ts';
import { withGroup } from '../../device/bind.ts';
import { ATTACH_HWPT } from '../../device/layout.ts';
import { loadU64 } from '../../memory/index.ts';
import { DEVICE_GROUP, DEVICE_VDEVICE, HWPT_VIOMMU, VDEVICE_VIOMMU, VDEVICE_VIRT_ID } from '../../objects/index.ts';
import { OBJ_DEVICE } from '../../uapi/index.ts';
import { reportEvent } from '../../veventq/index.ts';
import { MOCK_DOMAIN_KIND, MOCK_NESTED, MOCK_VEVENTQ_TYPE, type MockDriver, triggerMockFault } from '../mock/index.ts';
import { TEST_TRIGGER_IOPF, TEST_TRIGGER_VEVENT } from './layout.ts';
import { attachedDomain, deviceNumber } from './pasid.ts';

/** A group of one request, reported by the calling thread. What becomes of it is not told. @throws IommuError ENOENT */
export function triggerIopf(driver: MockDriver): Command<typeof TEST_TRIGGER_IOPF> {
  return {
    struct: TEST_TRIGGER_IOPF,
    run(context, { args }) {
      const device = deviceNumber(context, 'TEST_TRIGGER_IOPF', args.devId, 'dev_id');
      const { pasid, grpid, perm } = args;
      const page = Number(args.addr >> 12n);
      const { machine } = context;
      machine.answering(() => {
        const userPasid = attachedDomain(context, device, pasid) === 0 && isNested(driver, context, device);
        triggerMockFault(machine, { device, pasid, grpid, perm, page, userPasid });
      });
    },
  };
}

/** Whether the device has a guest's page tables, and with them a PASID table that is not ours. Context: online. */
function isNested(driver: MockDriver, context: Context, device: number): boolean {
  const domain = attachedDomain(context, device, 0);
  return domain !== 0 && context.words[driver.domainAt(domain) + MOCK_DOMAIN_KIND] === MOCK_NESTED;
}

/** An event of the vIOMMU that the device is attached through: its payload is the device's virtual number.
 * @throws IommuError ENOENT dev_id, or it is attached through none; EOPNOTSUPP nobody made a queue for it. */
export const triggerVevent: Command<typeof TEST_TRIGGER_VEVENT> = {
  struct: TEST_TRIGGER_VEVENT,
  run(context, { args }) {
    const call = 'TEST_TRIGGER_VEVENT';
    const { objects, machine, words } = context;
    const device = objects.get(call, 'dev_id', args.devId, OBJ_DEVICE);
    try {
      withGroup(context, words[objects.at(device) + DEVICE_GROUP], (groupAt) => {
        const { viommu, virtId } = attachedThrough(context, groupAt, device);
        if (virtId === 0n) throw new IommuError('ENOENT', call, 'dev_id', args.devId, 'is attached through no vIOMMU');
        const bytes = new Uint8Array(4);
        new DataView(bytes.buffer).setUint32(0, Number(virtId & 0xffffffffn), true);
        reportEvent(machine, viommu, MOCK_VEVENTQ_TYPE, bytes);
      });
    } finally {
      objects.put(device);
    }
  },
};

/** The vIOMMU of the nested HWPT that a device has attached, and the device's number there; 0: none. Context: the group's lock. */
function attachedThrough(
  context: Context,
  groupAt: number,
  device: number,
): { readonly viommu: number; readonly virtId: bigint } {
  const { objects, words } = context;
  const none = { viommu: 0, virtId: 0n };
  const attachmentAt = findAttachment(context, groupAt, 0);
  const vdevice = words[objects.at(device) + DEVICE_VDEVICE];
  if (attachmentAt === 0 || vdevice === 0) return none;
  const viommu = words[objects.at(words[attachmentAt + ATTACH_HWPT]) + HWPT_VIOMMU];
  const vdeviceAt = objects.at(vdevice);
  if (viommu === 0 || words[vdeviceAt + VDEVICE_VIOMMU] !== viommu) return none;
  return { viommu, virtId: loadU64(words, vdeviceAt + VDEVICE_VIRT_ID) };
}
