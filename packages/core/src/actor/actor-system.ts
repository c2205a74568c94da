// The main thread's side of the actors: one pool thread a host, events out through the hosts' mailboxes, states back through
// its own. What needs text (why an actor or a host ended) comes as a message; it is rare.
import { EventEmitter } from 'eventemitter3';
import { checkInteger, IommuError } from '../errors/index.ts';
import { Rcu } from '../sync/index.ts';
import { MAX_HOSTS, mailboxRegion, RCU_REGION } from './actor-regions.ts';
import { ActorStates } from './actor-states.ts';
import { EVENT_READY, EVENT_STOP, eventTable } from './event-codes.ts';
import type { HostExit } from './host-context.ts';
import type { ActorFailure } from './host-events.ts';
import { type HostPool, openHostPool } from './host-pool.ts';
import { type HostTask, parseHostTask } from './host-task.ts';
import { Inbox } from './inbox.ts';
import type { NameTable } from './name-table.ts';
import { Placement } from './placement.ts';
import { type EventPort, Router } from './router.ts';
import { stateTable } from './state-codes.ts';
import type { ActorSystemOptions, HostReport, SystemEvents } from './system-options.ts';

const DEFAULT_STOP_TIMEOUT_MS = 1500;
const STOP_RETRY_MS = 1;

/** A running system of actors on worker threads. Context: the thread that started it, on its event loop. */
export class ActorSystem extends EventEmitter<SystemEvents> {
  readonly placement: Placement;
  readonly #events: NameTable;
  readonly #router: Router;
  readonly #pool: HostPool;
  readonly #ownsPool: boolean;
  /** Ends hosts that do not stop. */
  readonly #kill: AbortController = new AbortController();
  readonly #onMessage = (message: { actorFailure?: ActorFailure }): void => {
    if (message?.actorFailure !== undefined) this.#failed(message.actorFailure);
  };
  readonly #onThreadError = (error: Error): void => void this.emit('thread-error', error);
  readonly #inbox: Inbox;
  readonly #listening: Promise<void>;
  readonly #states: ActorStates = new ActorStates();
  readonly #rcu: Rcu;
  readonly #threads: readonly number[];
  /** By host number - 1. */
  readonly #runs: Promise<HostReport>[];
  readonly #stopTimeoutMs: number;
  /** Hosts that have ended, with what {@link send} then throws. */
  #over: Map<string, IommuError> = new Map();
  #ready: Set<number> = new Set();
  #onReady: (() => void) | undefined;
  #terminating = false;
  #stopping: Promise<HostReport[]> | undefined;

  /** Starts a thread for each host and resolves when all have done their setup.
   * @throws IommuError (rejects) EINVAL, ENOENT a wrong host, actor, name or arena; EPIPE a host died during its setup: the others are stopped */
  static async start(options: ActorSystemOptions): Promise<ActorSystem> {
    const system = new ActorSystem(options);
    await system.#started();
    return system;
  }

  private constructor(options: ActorSystemOptions) {
    super();
    const { arena, hosts, actors, events = [], states = [] } = options;
    const names = hosts.map(({ name }) => name);
    const threads = hosts.map(({ self }) => self.id);
    checkInteger('ActorSystem.start', 'hosts.length', hosts.length, 1, MAX_HOSTS);
    const shared = arena.share();
    const tasks = hosts.map(({ setup, data, self }, i) =>
      parseHostTask({
        host: i + 1,
        hosts: names,
        actors,
        self,
        arena: shared,
        setup: setup.href,
        data,
        events,
        states,
      }),
    );
    this.placement = new Placement(names, actors);
    this.#events = eventTable(events);
    const stateCodes = stateTable(states);
    this.#rcu = new Rcu(arena.words, arena.base(RCU_REGION));
    for (const id of threads) {
      checkInteger('ActorSystem.start', 'self.id', id, 1, this.#rcu.threads);
      if (threads.indexOf(id) !== threads.lastIndexOf(id))
        throw new IommuError('EINVAL', 'ActorSystem.start', 'self.id', id, 'is that of two hosts');
    }
    this.#threads = threads;
    this.#stopTimeoutMs = options.stopTimeoutMs ?? DEFAULT_STOP_TIMEOUT_MS;
    this.#router = new Router(arena, this.placement, this.#events);
    hosts.forEach((_, i) => void arena.base(mailboxRegion(i + 1))); // ENOENT here rather than on a thread
    this.#inbox = new Inbox(arena, (actor, code, host) => {
      if (actor !== 0) this.#changed(this.placement.name(actor), stateCodes.name(code));
      else if (code === EVENT_READY) this.#isReady(host);
    });
    this.#pool = options.pool ?? openHostPool(hosts.length, options.resourceLimits);
    this.#ownsPool = options.pool === undefined;
    this.#pool.on('message', this.#onMessage);
    this.#pool.on('error', this.#onThreadError);
    this.#runs = tasks.map((task) => this.#run(task));
    this.#listening = this.#inbox.listen();
  }

  /** Sends an event to an actor: a ring write, and a notify if its host sleeps. From this thread to one actor events stay in order.
   * @returns false when the mailbox of the actor's host is full: nothing was sent.
   * @throws IommuError ENOENT no such actor or event; EPIPE its host has ended */
  send(actor: string, event: string, a: number = 0, b: number = 0, c: number = 0, d: number = 0): boolean {
    const host = this.placement.hosts[this.placement.hostOf(this.placement.id(actor)) - 1];
    const over = this.#over.get(host);
    if (over !== undefined) throw over;
    return this.#router.send(actor, event, a, b, c, d);
  }

  /** As {@link send}, looked up beforehand, and without a look at whether the host lives. */
  port(actor: string, event: string): EventPort {
    return this.#router.port(actor, event);
  }

  /** @returns the actor's last state, as a dotted path; undefined before its first. */
  state(actor: string): string | undefined {
    return this.#states.state(actor);
  }

  /** Resolves once the actor is in `state` (a dotted path, or a parent of one), at once if it is there now.
   * @throws IommuError (rejects) ENOENT no such actor; EPIPE the actor failed, its host died, or the system stopped before */
  async reached(actor: string, state: string): Promise<void> {
    this.placement.id(actor);
    return this.#states.reached(actor, state);
  }

  /** Sends each host the stop event and resolves when all have ended; events sent before are still taken. A host that has not
   * ended in time is terminated, and reported as dead. A second call waits for the first. */
  stop(): Promise<HostReport[]> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #started(): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.#onReady = resolve;
      if (this.#ready.size === this.placement.hosts.length) resolve(); // all were ready before anybody asked
    });
    const ended = Promise.race(this.#runs);
    const early = await Promise.race([ready, ended]);
    if (early === undefined) return;
    await this.stop();
    throw early.error ?? this.#ending(early.name, new Error('stopped during its setup'));
  }

  /** One host's life: however it ends, it is reported. */
  async #run(task: HostTask): Promise<HostReport> {
    const name = task.hosts[task.host - 1];
    let exit: HostExit;
    try {
      exit = await this.#pool.run(task, { signal: this.#kill.signal });
    } catch (cause) {
      return this.#died(name, task.self.id, cause);
    }
    for (const failure of exit.failures) this.#failed(failure);
    this.#end(name, new IommuError('EPIPE', 'ActorSystem', 'host', name, 'was stopped, and its actors with it'));
    return { name, exit };
  }

  #died(host: string, thread: number, cause: unknown): HostReport {
    const error = this.#ending(host, cause);
    const actors = this.#end(host, error);
    // A thread that is being terminated may still be reading: then stop forgets it, after its end.
    if (!this.#terminating) this.#rcu.forget(thread);
    this.emit('host-died', { host, actors, error });
    return { name: host, error };
  }

  /** @returns the names of the actors that ended with the host. */
  #end(host: string, error: IommuError): string[] {
    this.#inbox.drain(); // what it still reported comes first
    this.#over.set(host, error);
    const actors = this.placement.actorsOn(this.placement.hosts.indexOf(host) + 1);
    for (const actor of actors) this.#states.ended(actor, error);
    return actors;
  }

  async #stop(): Promise<HostReport[]> {
    const deadline = performance.now() + this.#stopTimeoutMs;
    const timeUp = new AbortController();
    await Promise.race([
      Promise.all([...this.#runs, ...this.placement.hosts.map((host) => this.#tellToStop(host, deadline))]),
      sleep(this.#stopTimeoutMs, timeUp.signal),
    ]);
    timeUp.abort();
    this.#terminating = true;
    this.#kill.abort(); // ends hosts that have not stopped in time: their runs say so
    const reports = await Promise.all(this.#runs);
    if (this.#ownsPool) await this.#pool.destroy();
    this.#pool.off('message', this.#onMessage);
    this.#pool.off('error', this.#onThreadError);
    for (const id of this.#threads) this.#rcu.forget(id);
    this.#inbox.close();
    await this.#listening; // it lowers its doorbell's flag last: the arena may serve the next system now
    return reports;
  }

  /** Tries until there is room in the host's mailbox. */
  async #tellToStop(host: string, deadline: number): Promise<void> {
    const mailbox = this.#router.toHost(this.placement.hosts.indexOf(host) + 1);
    while (!this.#over.has(host) && performance.now() < deadline && !mailbox.send(0, EVENT_STOP, 0, 0, 0, 0, 0))
      await sleep(STOP_RETRY_MS);
  }

  #isReady(host: number): void {
    this.#ready.add(host);
    if (this.#ready.size === this.placement.hosts.length) this.#onReady?.();
  }

  #changed(actor: string, state: string): void {
    this.#states.changed(actor, state);
    this.emit('transition', { actor, state });
  }

  #failed(failure: ActorFailure): void {
    this.#inbox.drain(); // its last states come first
    const { actor, state, message } = failure;
    const error = new IommuError('EPIPE', 'ActorSystem', 'actor', actor, `stopped in ${state} with ${message}`);
    error.cause = failure;
    if (this.#states.ended(actor, error)) this.emit('actor-failed', failure);
  }

  #ending(host: string, cause: unknown): IommuError {
    const actors = this.placement.actorsOn(this.placement.hosts.indexOf(host) + 1);
    const what = cause instanceof Error ? cause.message : String(cause);
    const error = new IommuError(
      'EPIPE',
      'ActorSystem',
      'host',
      host,
      `died: ${what}; its actors: ${actors.join(', ') || 'none'}`,
    );
    error.cause = cause;
    return error;
  }
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => clearTimeout(timer));
  });
}
