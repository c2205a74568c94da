// The answer and the removal of 6.8 in small (drivers/iommu/iommu.c, io-pgfault.c): a device's list holds a copy of each last
// fault, and nobody counts who uses the fault_param.
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import { DEVICE, GROUP, PARAM } from './iopf.ts';
import { type Kernel, List } from './kernel.ts';

/** iommu_page_response(): finds the parameter without PARAM_LOCK, and searches its list. */
export function pageResponse(kernel: Kernel): void {
  const { words, self } = kernel;
  const faults = new List(kernel, GROUP.PENDING_NODE);
  const param = Atomics.load(words, kernel.shared(DEVICE.FAULT_PARAM));
  if (param === 0) return;
  mutexLock(words, param + PARAM.LOCK, self);
  const copy = faults.shift(param + PARAM.PENDING);
  if (copy !== 0) {
    kernel.answer(words[copy + GROUP.ID]);
    kernel.free(copy);
  }
  mutexUnlock(words, param + PARAM.LOCK, self);
}

/** iommu_unregister_device_fault_handler(): refuses while faults are listed, and looks without the lock of their list. */
export function unregisterHandler(kernel: Kernel): void {
  const { words, self } = kernel;
  const faults = new List(kernel, GROUP.PENDING_NODE);
  mutexLock(words, kernel.shared(DEVICE.PARAM_LOCK), self);
  const param = Atomics.load(words, kernel.shared(DEVICE.FAULT_PARAM));
  if (faults.isEmpty(param + PARAM.PENDING)) {
    kernel.free(param);
    Atomics.store(words, kernel.shared(DEVICE.FAULT_PARAM), 0);
  }
  mutexUnlock(words, kernel.shared(DEVICE.PARAM_LOCK), self);
}

/** iopf_queue_remove_device(): drops what is set aside. What is pending is nobody's business here. */
export function removeFromQueue(kernel: Kernel): void {
  const { words, self } = kernel;
  mutexLock(words, kernel.shared(DEVICE.PARAM_LOCK), self);
  const partials = new List(kernel, GROUP.NODE);
  const head = Atomics.load(words, kernel.shared(DEVICE.FAULT_PARAM)) + PARAM.PARTIAL;
  for (let request = partials.shift(head); request !== 0; request = partials.shift(head)) kernel.free(request);
  mutexUnlock(words, kernel.shared(DEVICE.PARAM_LOCK), self);
}
