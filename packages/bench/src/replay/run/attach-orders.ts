// A trace tells its PASIDs as it goes: the main thread, which meets one first, has the interrupt's thread attach the domain there, as a
// process's binding would, before any request with it is sent.
//
// Ordering. order: DEVICE and PASID, then NUMBER   pairs with   run: NUMBER, then DEVICE and PASID
//           done: REFUSED, then DONE               pairs with   order's wait: DONE, then REFUSED
import type { HostContext } from '@faultline/core/actor';
import type { Arena } from '@faultline/core/memory';
import { Doorbell } from '@faultline/core/sync';
import { waitWord } from '../../stress/wait-word.ts';
import { ORDER_DEVICE, ORDER_DONE, ORDER_NUMBER, ORDER_PASID, ORDER_REFUSED, ordersBase } from './layout.ts';

/** The main thread's end. @param doorbell base of the interrupt host's. @returns whether the domain is attached there now. */
export async function orderAttach(
  arena: Arena,
  doorbell: number,
  device: number,
  pasid: number,
  signal: AbortSignal,
): Promise<boolean> {
  const { words } = arena;
  const at = ordersBase(arena);
  const number = words[at + ORDER_NUMBER] + 1;
  words[at + ORDER_DEVICE] = device;
  words[at + ORDER_PASID] = pasid;
  Atomics.store(words, at + ORDER_NUMBER, number);
  new Doorbell(words, doorbell).ring();
  const isDone = await waitWord(words, at + ORDER_DONE, (done) => done === number, signal);
  return isDone && words[at + ORDER_REFUSED] === 0;
}

/** The interrupt host's end. @param isReady whether devices are there to attach to. @param attach rejects where there is no room. */
export function takeAttachOrders(
  host: HostContext,
  isReady: () => boolean,
  attach: (device: number, pasid: number) => Promise<void>,
): void {
  const { words } = host.arena;
  const at = ordersBase(host.arena);
  let taken = 0;
  let isBusy = false;
  const hasOrder = (): boolean => !isBusy && isReady() && Atomics.load(words, at + ORDER_NUMBER) !== taken;
  const end = (number: number, refused: number): void => {
    isBusy = false;
    words[at + ORDER_REFUSED] = refused;
    Atomics.store(words, at + ORDER_DONE, number);
    Atomics.notify(words, at + ORDER_DONE);
  };
  host.addPump({
    name: 'attach-orders',
    run: () => {
      if (!hasOrder()) return 0;
      isBusy = true;
      const number = Atomics.load(words, at + ORDER_NUMBER);
      taken = number;
      attach(words[at + ORDER_DEVICE], words[at + ORDER_PASID]).then(
        () => end(number, 0),
        () => end(number, 1), // counted by who ordered, record by record
      );
      return 1;
    },
    hasWork: hasOrder,
  });
  host.pumps.on('attach-orders');
}
