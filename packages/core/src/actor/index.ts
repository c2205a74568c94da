// Actors: the control plane. xstate machines on worker threads, told things through rings in shared memory.
//
//   main thread                          a host: one thread, one long pool task
//   ActorSystem ──send──▶ mailbox ──▶ receivers and xstate actors ──entry, exit──▶ pumps on, off
//       ▲                    ▲                  │            │                       │
//       │                    └──── host.send ───┘            └── steps (promises)    └─ the data plane, in slices
//       └──── changes of state (a mailbox too), failures and deaths (messages)
//
// Read: placement.ts (who is where), mailbox.ts, host-loop.ts (slices and sleep), host-context.ts (what a setup module gets),
// actor-system.ts (starting, waiting, supervision), machines/. Not covered: moving an actor to another host, restarting one.
export { actorRegions, hostDoorbellBase, initActorRegions, mailboxRegion, RCU_REGION } from './actor-regions.ts';
export { ActorSystem } from './actor-system.ts';
export { ACTOR_EVENTS } from './event-codes.ts';
export type { AddActorOptions, MailEvent, Receiver } from './host-actors.ts';
export type { HostContext, HostExit, HostSetup } from './host-context.ts';
export type { ActorFailure, HostEvents } from './host-events.ts';
export type { LoopCounts } from './host-loop.ts';
export { type HostPool, openHostPool } from './host-pool.ts';
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
export type { ActorSystemOptions, HostDeath, HostReport, HostSpec, SystemEvents } from './system-options.ts';
export { workerUrl } from './worker-url.ts';
