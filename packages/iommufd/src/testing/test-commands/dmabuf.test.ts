import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../../caller/index.ts';
import { createMockLab, openMockLab } from '../mock-lab.ts';
import { refusalOf } from '../rig.test-help.ts';
import { DmaBuf } from './dmabuf.ts';

test('a buffer that one thread takes away can be mapped on no other, until it is given back', () => {
  const shared = createMockLab();
  const [lab, other] = [1, 2].map((id) => openMockLab(shared, { id, spins: 0 }));
  const frames = [lab.ram.alloc(1)];
  const [buffer, same] = [lab, other].map(({ ram, driver }) => new DmaBuf(ram, frames, driver));
  const map = (): string => refusalOf(() => same.checkMap('map', 0n, BigInt(PAGE_BYTES)));
  buffer.revoke(true);
  expect(map()).toBe('ENODEV fd');
  buffer.revoke(false);
  expect(map()).toBe('');
});
