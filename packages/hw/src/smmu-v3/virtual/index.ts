export {
  isForwardable,
  type RouteCounts,
  VirtualEventRouter,
} from './event-router.ts';
export { convertGuestCommand, GUEST_BATCH, type GuestCommandIssuer, GuestCommands } from './guest-commands.ts';
export {
  initVirtual,
  type MasterConfig,
  masterLayout,
  VirtualArea,
  type VirtualConfig,
  vcmdqLayout,
  virtualWords,
} from './layout.ts';
export { allocNested, freeNested, nestedVsmmu, nestedVste } from './nested-domain.ts';
export { SidMatch } from './sid-match.ts';
export { VCMDQ_EN, type VcmdqConfig, Vcmdqs } from './vcmdq.ts';
export { VCMDQ_DONE, VCMDQ_WAIT, VcmdqHardware, type VcmdqTarget } from './vcmdq-hardware.ts';
export { VCMDQ_PAGE_BYTES, VcmdqPage } from './vcmdq-page.ts';
export { Vdevices } from './vdevices.ts';
export type { VdeviceLookUp, VirtualEventSink } from './viommu.ts';
export { allocVsmmu, destroyVsmmu, vsmmuVmid } from './vsmmu.ts';
export { type CheckedVste, checkVste, VSTE_WORDS, vsteTranslates, withEats } from './vste.ts';
export { VStreamReader, VStreams } from './vstream.ts';
