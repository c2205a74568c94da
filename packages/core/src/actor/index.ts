export { actorRegions, initActorRegions, mailboxRegion, RCU_REGION } from './actor-regions.ts';
export {
  ActorSystem,
  type ActorSystemOptions,
  type HostDeath,
  type HostReport,
  type HostSpec,
  type SystemEvents,
} from './actor-system.ts';
export { ACTOR_EVENTS } from './event-codes.ts';
export type { AddActorOptions, MailEvent, Receiver } from './host-actors.ts';
export type { HostContext, HostExit, HostSetup } from './host-context.ts';
export type { ActorFailure, HostEvents } from './host-events.ts';
export type { LoopCounts } from './host-loop.ts';
export {
  DEVICE_STEPS,
  type DeviceEvent,
  type DeviceStep,
  deviceLogic,
  deviceMachine,
} from './machines/device.machine.ts';
export {
  DOMAIN_STEPS,
  type DomainEvent,
  type DomainStep,
  domainLogic,
  domainMachine,
} from './machines/domain.machine.ts';
export type { ProtocolMachine } from './machines/protocol-machine.ts';
export { QUEUE_STEPS, type QueueEvent, type QueueStep, queueLogic, queueMachine } from './machines/queue.machine.ts';
export { type Step, StepError } from './machines/step.ts';
export { type Deliver, initMailbox, MailboxReceiver, MailboxSender, mailboxDoorbell, mailboxWords } from './mailbox.ts';
export { type ActorPlace, Placement } from './placement.ts';
export type { Pump, PumpSet } from './pumps.ts';
export type { EventPort } from './router.ts';
export { ACTOR_STATES, statePath } from './state-codes.ts';
export { workerUrl } from './worker-url.ts';
