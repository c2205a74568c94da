import type { EventEmitter } from 'eventemitter3';
import {
  type Actor,
  type ActorOptions,
  type AnyActorLogic,
  type AnyMachineSnapshot,
  createActor,
  type Snapshot,
  StateMachine,
} from 'xstate';
import { IommuError } from '../errors/index.ts';
import type { ActorFailure, HostEvents } from './host-events.ts';
import type { NameTable } from './name-table.ts';
import type { Placement } from './placement.ts';
import { checkStates, statePath } from './state-codes.ts';

/** An event as an xstate actor gets it. */
export interface MailEvent {
  readonly type: string;
  /** Id of the actor that sent it, 0 = none. */
  readonly sender: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** Takes an actor's events without xstate: by code, without an object each. */
export type Receiver = (code: number, sender: number, a: number, b: number, c: number, d: number) => void;

export interface AddActorOptions<Logic extends AnyActorLogic> extends ActorOptions<Logic> {
  /** Tell the main thread of its changes of state. Default true; without, ActorSystem.reached sees nothing of this actor. */
  readonly report?: boolean;
}

export interface HostActorsParts {
  readonly host: number;
  readonly placement: Placement;
  readonly events: NameTable;
  readonly states: NameTable;
  readonly emitter: EventEmitter<HostEvents>;
  readonly report: (actor: number, stateCode: number) => void;
}

interface Hosted {
  readonly name: string;
  receive: Receiver | undefined;
  actor: Actor<AnyActorLogic> | undefined;
  report: boolean;
  /** Its state as last told. */
  state: string;
}

/** The actors of one host, by id. */
export class HostActors {
  /** Events that no actor took: see `refused` in {@link HostEvents}. */
  refused = 0;
  readonly failures: ActorFailure[] = [];
  readonly #parts: HostActorsParts;
  #hosted: Hosted[] = [];

  constructor(parts: HostActorsParts) {
    this.#parts = parts;
  }

  /** Creates and starts an actor.
   * @throws IommuError ENOENT not in the placement, or a state without a code; EINVAL placed on another host; EBUSY added before */
  add<Logic extends AnyActorLogic>(
    id: string | number,
    logic: Logic,
    options: AddActorOptions<Logic> = {} as AddActorOptions<Logic>,
  ): Actor<Logic> {
    if (logic instanceof StateMachine) checkStates(logic, this.#parts.states);
    const place = this.#place('addActor', id);
    const { report, ...actorOptions } = options;
    const actor = createActor<AnyActorLogic>(logic, { id: place.name, ...actorOptions });
    place.actor = actor;
    place.report = report ?? true;
    actor.subscribe({
      next: (snapshot) => this.#changed(place, snapshot),
      error: (error) => this.#failed(place, error),
    });
    actor.start();
    return actor as unknown as Actor<Logic>;
  }

  /** Gives an id a plain function for an actor. Errors as {@link add}. */
  addReceiver(id: string | number, receive: Receiver): void {
    this.#place('addReceiver', id).receive = receive;
  }

  deliver(id: number, code: number, sender: number, a: number, b: number, c: number, d: number): void {
    const hosted = this.#hosted[id];
    if (hosted?.receive !== undefined) hosted.receive(code, sender, a, b, c, d);
    else this.#send(id, hosted, { type: this.#parts.events.name(code), sender, a, b, c, d });
  }

  /** Stops all actors: steps under way are aborted. */
  stopAll(): void {
    for (const hosted of this.#hosted) hosted?.actor?.stop();
  }

  #send(id: number, hosted: Hosted | undefined, event: MailEvent): void {
    const actor = hosted?.actor;
    if (hosted === undefined || actor === undefined) {
      this.#refuse(this.#parts.placement.name(id), event.type, 'not on this host');
      return;
    }
    const before = actor.getSnapshot() as Snapshot<unknown>;
    if (before.status !== 'active') {
      this.#refuse(hosted.name, event.type, before.status);
      return;
    }
    actor.send(event);
    // A machine that takes an event makes a new snapshot, even if its state stays the same.
    if (actor.getSnapshot() === before && 'value' in before) this.#refuse(hosted.name, event.type, hosted.state);
  }

  #place(call: string, actor: string | number): Hosted {
    const { placement, host } = this.#parts;
    const id = placement.id(actor);
    const name = placement.name(id);
    if (placement.hostOf(id) !== host)
      throw new IommuError(
        'EINVAL',
        call,
        'actor',
        name,
        `is placed on host ${placement.hosts[placement.hostOf(id) - 1]}`,
      );
    if (this.#hosted[id] !== undefined) throw new IommuError('EBUSY', call, 'actor', name, 'was added before');
    this.#hosted[id] = { name, receive: undefined, actor: undefined, report: true, state: '' };
    return this.#hosted[id];
  }

  #changed(hosted: Hosted, snapshot: unknown): void {
    if (!isMachineSnapshot(snapshot)) return;
    const state = statePath(snapshot.value);
    if (state === hosted.state) return;
    hosted.state = state;
    const { emitter, placement, report, states } = this.#parts;
    if (emitter.listenerCount('transition') > 0) emitter.emit('transition', { actor: hosted.name, state });
    if (hosted.report) report(placement.id(hosted.name), states.code(state));
  }

  #failed(hosted: Hosted, error: unknown): void {
    const known = error instanceof Error ? error : new Error(String(error));
    const failure: ActorFailure = {
      actor: hosted.name,
      state: hosted.state,
      message: `${known.name}: ${known.message}`,
      stack: known.stack ?? '',
    };
    this.failures.push(failure);
    this.#parts.emitter.emit('actor-failed', failure);
  }

  #refuse(actor: string, event: string, state: string): void {
    this.refused++;
    this.#parts.emitter.emit('refused', { actor, event, state });
  }
}

function isMachineSnapshot(snapshot: unknown): snapshot is AnyMachineSnapshot {
  return typeof snapshot === 'object' && snapshot !== null && 'value' in snapshot;
}
