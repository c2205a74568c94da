import { runDeviceWorker } from './device-worker.ts';
import { openSmmuIssuer, openStallPort } from './family/smmu-v3.ts';

runDeviceWorker({ openIssuer: openSmmuIssuer, openPort: openStallPort });
