import type { IommuError } from '../errors/index.ts';
import { isInState } from './state-codes.ts';

interface Waiter {
  readonly state: string;
  readonly resolve: () => void;
  readonly reject: (error: IommuError) => void;
}

/** What the main thread knows of each actor: its last state, why it ended, who waits for it. */
export class ActorStates {
  #states: Map<string, string> = new Map();
  #ended: Map<string, IommuError> = new Map();
  #waiting: Map<string, Waiter[]> = new Map();

  /** @returns the last state told, undefined before the first. */
  state(actor: string): string | undefined {
    return this.#states.get(actor);
  }

  changed(actor: string, state: string): void {
    this.#states.set(actor, state);
    const waiting = this.#waiting.get(actor) ?? [];
    this.#waiting.set(
      actor,
      waiting.filter((waiter) => !isInState(state, waiter.state)),
    );
    for (const waiter of waiting) if (isInState(state, waiter.state)) waiter.resolve();
  }

  /** The actor changes no more: all who wait for it get `error`, and so does whoever asks later. The first reason stays.
   * @returns whether this was the first. */
  ended(actor: string, error: IommuError): boolean {
    if (this.#ended.has(actor)) return false;
    this.#ended.set(actor, error);
    for (const waiter of this.#waiting.get(actor) ?? []) waiter.reject(error);
    this.#waiting.delete(actor);
    return true;
  }

  /** Resolves once the actor is in `state`, at once if it is. Passing through counts from now on. */
  reached(actor: string, state: string): Promise<void> {
    const now = this.#states.get(actor);
    if (now !== undefined && isInState(now, state)) return Promise.resolve();
    const end = this.#ended.get(actor);
    if (end !== undefined) return Promise.reject(end);
    return new Promise((resolve, reject) => {
      this.#waiting.set(actor, [...(this.#waiting.get(actor) ?? []), { state, resolve, reject }]);
    });
  }
}
