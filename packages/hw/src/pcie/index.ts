export * from './pri-port.layout.ts';
export { NO_RECORD, PriRequester, PriServant, priPortDropped } from './pri-port.ts';
export { NO_PORT, PriPortSet } from './pri-port-set.ts';
