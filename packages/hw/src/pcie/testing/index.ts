export { EndpointRig, type EndpointRigConfig } from './endpoint-rig.ts';
export { ModelHost } from './model-host.ts';
export type { MakePriHost, PriHost, PriHostOptions, PriHostTraits } from './pri-host.ts';
export { priHostContract } from './pri-host-contract.ts';
export { isLast, isStopMarker, ScriptedHost, type SeenRequest } from './scripted-host.ts';
