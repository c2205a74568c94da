export { NO_PORT } from '../queue/announce.ts';
export { Atc, NO_TAG, packTranslation, translationPerm } from './atc.ts';
export { AtsCapability } from './ats-capability.ts';
export {
  ATS_BYTES,
  ATS_CAPABILITY,
  ATS_CONTROL,
  CAP_ID_ATS,
  CAP_ID_PRI,
  PRI_ALLOC_REQUESTS,
  PRI_BYTES,
  PRI_CONTROL,
  PRI_MAX_REQUESTS,
  PRI_STATUS,
  readAtsCapability,
  readPriCapability,
} from './config-space.ts';
export { Endpoint, type EndpointConfig } from './endpoint.ts';
export { EndpointMemory, pageAgent, type TranslationAgent } from './endpoint-memory.ts';
export { EndpointQueue } from './endpoint-queue.ts';
export {
  ENDPOINT_STATS,
  type EndpointStat,
  endpointStatWords,
  initEndpointStats,
  readEndpointStats,
} from './endpoint-stats.ts';
export {
  type FunctionConfig,
  functionLayout,
  functionWords,
  initFunction,
  PRI_STATUS_PASID_REQUIRED,
  PRI_STATUS_RF,
  PRI_STATUS_STOPPED,
  PRI_STATUS_UPRGI,
} from './function.layout.ts';
export { InterfaceState } from './interface-state.ts';
export { InvalidationTaker } from './invalidation-taker.ts';
export { MISBEHAVIOURS, type Misbehaviour, type Misbehaviours } from './misbehaviour.ts';
export { PriCapability } from './pri-capability.ts';
export * from './pri-port.layout.ts';
export { NO_RECORD, PriRequester, PriServant, priPortDropped } from './pri-port.ts';
export { PriPortSet } from './pri-port-set.ts';
