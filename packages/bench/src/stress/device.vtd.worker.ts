import { runDeviceWorker } from './device-worker.ts';
import { openEndpoint } from './family/endpoints.ts';
import { openVtdIssuer } from './family/vtd.ts';

runDeviceWorker({ openIssuer: openVtdIssuer, openPort: openEndpoint });
