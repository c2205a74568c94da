// What hardware would bring: a page request, an event.
import type { Command, Context } from '../../context/index.ts';
import { MOCK_DOMAIN_KIND, MOCK_NESTED, type MockDriver, triggerMockEvent, triggerMockFault } from '../mock/index.ts';
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
      const offset = Number(args.addr & 0xfffn);
      const { machine } = context;
      machine.answering(() => {
        const userPasid = attachedDomain(context, device, pasid) === 0 && isNested(driver, context, device);
        triggerMockFault(machine, { device, pasid, grpid, perm, page, offset, userPasid });
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
 * @throws IommuError ENOENT dev_id, or it is attached through none; EOPNOTSUPP nobody made a queue for it; ENOMEM */
export function triggerVevent(driver: MockDriver): Command<typeof TEST_TRIGGER_VEVENT> {
  return {
    struct: TEST_TRIGGER_VEVENT,
    run(context, { args }) {
      const device = deviceNumber(context, 'TEST_TRIGGER_VEVENT', args.devId, 'dev_id');
      triggerMockEvent(context.machine, driver, device);
    },
  };
}
