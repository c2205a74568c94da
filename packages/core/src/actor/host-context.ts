import { EventEmitter } from 'eventemitter3';
import type { Actor, AnyActorLogic } from 'xstate';
import { Arena } from '../memory/index.ts';
import { type Doorbell, RcuThread, type ThreadSelf } from '../sync/index.ts';
import { mailboxRegion, RCU_REGION } from './actor-regions.ts';
import { EVENT_READY, EVENT_STOP, eventTable } from './event-codes.ts';
import { type AddActorOptions, HostActors, type Receiver } from './host-actors.ts';
import type { ActorFailure, HostEvents } from './host-events.ts';
import { HostLoop, type LoopCounts } from './host-loop.ts';
import type { HostTask } from './host-task.ts';
import { MailboxReceiver, mailboxDoorbell } from './mailbox.ts';
import type { NameTable } from './name-table.ts';
import { Outbox } from './outbox.ts';
import { Placement } from './placement.ts';
import { type Pump, PumpSet } from './pumps.ts';
import { type EventPort, Router } from './router.ts';
import { stateTable } from './state-codes.ts';

/** What a setup module's default export gets and does: creates this host's actors and pumps. The host takes events once it
 * has settled. `data` is what the system was started with for this host. */
export type HostSetup = (host: HostContext, data: unknown) => void | Promise<void>;

/** What a host did, told at its end. */
export interface HostExit extends LoopCounts {
  readonly name: string;
  /** Events that no actor took. */
  readonly refused: number;
  readonly failures: readonly ActorFailure[];
}

/** A host, as its setup sees it. All of it belongs to the host's thread. */
export class HostContext {
  /** The host's number, from 1. */
  readonly host: number;
  readonly name: string;
  readonly self: ThreadSelf;
  readonly arena: Arena;
  /** This thread as an RCU reader: online while the host is awake, with a quiescent state before each slice, offline while it
   * sleeps. Pumps and receivers may hold what it protects until they return. Timers and promises may run while the host
   * sleeps: they send an event instead. */
  readonly rcu: RcuThread;
  readonly pumps: PumpSet;
  readonly events: EventEmitter<HostEvents> = new EventEmitter<HostEvents>();
  /** What this host sleeps on. Rung by whoever gives one of its pumps work. */
  readonly doorbell: Doorbell;
  /** The numbers of event names, for receivers. */
  readonly eventCodes: NameTable;
  readonly #loop: HostLoop;
  readonly #actors: HostActors;
  readonly #outbox: Outbox;
  readonly #router: Router;

  constructor(task: HostTask, onFailure: (failure: ActorFailure) => void) {
    const { host, self } = task;
    const placement = new Placement(task.hosts, task.actors);
    this.host = host;
    this.name = placement.hosts[host - 1];
    this.self = self;
    this.arena = Arena.open(task.arena);
    const { words } = this.arena;
    const base = this.arena.base(mailboxRegion(host));
    this.rcu = new RcuThread(words, this.arena.base(RCU_REGION), self);
    this.doorbell = mailboxDoorbell(words, base);
    this.pumps = new PumpSet(() => this.doorbell.ring());
    this.eventCodes = eventTable(task.events);
    this.#router = new Router(this.arena, placement, this.eventCodes);
    this.#outbox = new Outbox(this.#router.toHost(0), host);
    this.#actors = new HostActors({
      host,
      placement,
      events: this.eventCodes,
      states: stateTable(task.states),
      emitter: this.events,
      report: (actor, code) => this.#outbox.report(actor, code),
    });
    this.events.on('actor-failed', onFailure);
    this.#loop = new HostLoop({
      mailbox: new MailboxReceiver(words, base),
      doorbell: this.doorbell,
      rcu: this.rcu,
      pumps: this.pumps,
      spins: self.spins,
      deliver: (actor, code, sender, a, b, c, d) => {
        if (actor !== 0) this.#actors.deliver(actor, code, sender, a, b, c, d);
        else if (code === EVENT_STOP) this.#stop();
      },
    });
  }

  /** Whether the host was told to stop: it runs until mailbox and pumps are empty, for half a second at most. */
  get stopping(): boolean {
    return this.#loop.stopping;
  }

  /** Makes a pump known, switched off: an actor's entry action switches it on with `pumps.on(name)`. @throws IommuError EBUSY */
  addPump(pump: Pump): void {
    this.pumps.add(pump);
  }

  /** Creates and starts an actor that was placed on this host.
   * @throws IommuError ENOENT not placed, or one of its states has no code; EINVAL placed on another host; EBUSY added before */
  addActor<Logic extends AnyActorLogic>(
    id: string | number,
    logic: Logic,
    options?: AddActorOptions<Logic>,
  ): Actor<Logic> {
    return this.#actors.add(id, logic, options);
  }

  /** Gives a placed id a plain function that takes its events, for what needs no states. Errors as {@link addActor}. */
  addReceiver(id: string | number, receive: Receiver): void {
    this.#actors.addReceiver(id, receive);
  }

  /** Sends an event to an actor on any host, by way of its mailbox. Events of one thread to one actor stay in order.
   * @returns false when that mailbox is full: nothing was sent. @throws IommuError ENOENT no such actor, or no such event */
  send(actor: string | number, event: string, a: number = 0, b: number = 0, c: number = 0, d: number = 0): boolean {
    const sent = this.#router.send(actor, event, a, b, c, d);
    if (!sent) this.events.emit('overflow', `mailbox of actor ${actor}`);
    return sent;
  }

  /** As {@link send}, looked up beforehand, and naming a sender. */
  port(actor: string | number, event: string, from?: string | number): EventPort {
    return this.#router.port(actor, event, from);
  }

  /** Says that the setup is done, and works until the stop event. Context: the host's task, once. */
  async run(): Promise<HostExit> {
    this.#outbox.report(0, EVENT_READY);
    const counts = await this.#loop.run();
    this.#actors.stopAll();
    await this.#outbox.emptied();
    return { name: this.name, ...counts, refused: this.#actors.refused, failures: this.#actors.failures };
  }

  #stop(): void {
    this.#loop.stop();
    this.events.emit('stopping');
  }
}
