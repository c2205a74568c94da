export { Admission, admissionWords, grantedPlaces, grantPlaces, placesOut } from './admission.ts';
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
  type JobAdmission,
  STEP_BUSY,
  STEP_FINISHED,
  STEP_IN_LINE,
  STEP_WAITING,
} from './device-thread.ts';
export { claimFaults } from './fault-budget.ts';
export { runDeviceThreads } from './run-device-threads.ts';
