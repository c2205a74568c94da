import { runDeviceWorker } from './device-worker.ts';
import { openAmdIssuer } from './family/amd.ts';
import { openEndpoint } from './family/endpoints.ts';

runDeviceWorker({ openIssuer: openAmdIssuer, openPort: openEndpoint });
