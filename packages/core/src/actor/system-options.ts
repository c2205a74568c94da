// What an actor system is started with, and what it tells.
import type { IommuError } from '../errors/index.ts';
import type { Arena } from '../memory/index.ts';
import type { ThreadSelf } from '../sync/index.ts';
import type { HostExit } from './host-context.ts';
import type { ActorFailure } from './host-events.ts';
import type { HostPool, HostResourceLimits } from './host-pool.ts';
import type { ActorPlace } from './placement.ts';

export interface HostSpec {
  readonly name: string;
  /** Module whose default export is a HostSetup. */
  readonly setup: URL;
  /** Handed to it; structured-cloneable. */
  readonly data?: unknown;
  readonly self: ThreadSelf;
}

export interface ActorSystemOptions {
  readonly hosts: readonly HostSpec[];
  /** Which actor is where. */
  readonly actors: Readonly<Record<string, ActorPlace>>;
  /** With regions from actorRegions, laid out by initActorRegions. */
  readonly arena: Arena;
  /** Event and state names beyond those of our machines. */
  readonly events?: readonly string[];
  readonly states?: readonly string[];
  /** How long {@link ActorSystem.stop} waits for hosts before it terminates them. Default 1500 ms. */
  readonly stopTimeoutMs?: number;
  /** Of each host's thread. */
  readonly resourceLimits?: HostResourceLimits;
  /** Threads to run on, kept after the system's end: at least as many as hosts. Default: threads of its own. */
  readonly pool?: HostPool;
}

/** A host that ended without being told to. `error` is EPIPE and names the host and its actors; its cause is what happened. */
export interface HostDeath {
  readonly host: string;
  readonly actors: readonly string[];
  readonly error: IommuError;
}

/** How a host ended: `exit` when it stopped, `error` when it died. */
export interface HostReport {
  readonly name: string;
  readonly exit?: HostExit;
  readonly error?: IommuError;
}

export interface SystemEvents {
  transition: (change: { readonly actor: string; readonly state: string }) => void;
  /** An actor stopped with an error; the rest of its host goes on. */
  'actor-failed': (failure: ActorFailure) => void;
  'host-died': (death: HostDeath) => void;
  /** An error on a pool thread that ran no host at the time. */
  'thread-error': (error: Error) => void;
}
