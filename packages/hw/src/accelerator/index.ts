export {
  type DeviceResults,
  deviceResultWords,
  initDeviceResults,
  readDeviceResults,
} from './device-results.ts';
export {
  type DeviceMemory,
  type DevicePort,
  DeviceThread,
  type DeviceThreadConfig,
  STEP_BUSY,
  STEP_FINISHED,
  STEP_WAITING,
} from './device-thread.ts';
export { claimFaults } from './fault-budget.ts';
export { runDeviceThreads } from './run-device-threads.ts';
