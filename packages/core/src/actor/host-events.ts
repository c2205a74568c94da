/** What can be observed inside a host's thread, by eventemitter3. `overflow` and `timeout` are also for pumps and steps to emit. */
export interface HostEvents {
  /** An actor of this host is in another state, given as a dotted path. */
  transition: (change: { readonly actor: string; readonly state: string }) => void;
  /** An event that its actor's state does not take, or whose actor has stopped or was never added. */
  refused: (event: { readonly actor: string; readonly event: string; readonly state: string }) => void;
  /** Something of fixed size was full, by name. The host itself emits it for the mailbox of an actor that it could not send to. */
  overflow: (what: string) => void;
  timeout: (what: string) => void;
  /** An actor stopped with an error. */
  'actor-failed': (failure: ActorFailure) => void;
  /** The host was told to stop; actors and pumps still run. */
  stopping: () => void;
}

/** An actor that stopped with an error, as it travels to the main thread. */
export interface ActorFailure {
  readonly actor: string;
  /** The state it was in. */
  readonly state: string;
  /** The error's name and message. */
  readonly message: string;
  readonly stack: string;
}
