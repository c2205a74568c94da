import { expect, test } from 'vitest';
import { measureAllocations } from './allocation.ts';

// Compiling allocates too, and on a slow day falls into the measured round: hence not zero.
test('a message allocates, a fault does not', { timeout: 60_000 }, async () => {
  const [device, handler, sender, receiver] = await measureAllocations({ faults: 400_000, messages: 20_000 });
  for (const { bytesPerItem } of [sender, receiver]) expect(bytesPerItem).toBeGreaterThan(8);
  for (const { bytesPerItem } of [device, handler]) expect(bytesPerItem).toBeLessThan(4);
});
