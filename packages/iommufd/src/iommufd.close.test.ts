import { expect, test } from 'vitest';
import { Iommufd } from './iommufd.ts';
import { createMockLab, openMockLab } from './testing/mock-lab.ts';

test('another thread closes the descriptor: the devices bound on this one go with its own close', () => {
  const shared = createMockLab();
  const [lab, other] = [1, 2].map((id) => openMockLab(shared, { id, spins: 0 }));
  lab.driver.addDevice(1, 0);
  const iommufd = Iommufd.open(lab.machine, lab.caller(1));
  const devId = iommufd.bind(1);
  iommufd.attach(devId, iommufd.ioasAlloc());
  new Iommufd(other.machine, other.caller(1), iommufd.fd).close();
  iommufd.close();
  expect(lab.machine.live()).toEqual(Object.fromEntries(Object.keys(lab.machine.live()).map((name) => [name, 0])));
  Iommufd.open(lab.machine, lab.caller(1)).bind(1);
});
