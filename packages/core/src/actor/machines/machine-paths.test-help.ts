// For the machines' tests: what an actor went through, as dotted paths.
import type { Actor, AnyStateMachine, StateValue } from 'xstate';
import { statePath } from '../state-codes.ts';

export function pathOf(snapshot: { value: StateValue }): string {
  return statePath(snapshot.value);
}

/** Starts the actor. @returns a list that grows with each change of state. */
export function recordPath(actor: Actor<AnyStateMachine>): string[] {
  const path: string[] = [];
  actor.subscribe((snapshot) => {
    if (path.at(-1) !== pathOf(snapshot)) path.push(pathOf(snapshot));
  });
  actor.start();
  if (path.length === 0) path.push(pathOf(actor.getSnapshot()));
  return path;
}

/** Starts the actor and sends it `types`. @returns the error that stopped it; rejects when it ends well. */
export function runToEnd(actor: Actor<AnyStateMachine>, types: readonly string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    actor.subscribe({ error: resolve, complete: () => reject(new Error('the actor ended without an error')) });
    actor.start();
    for (const type of types) actor.send({ type });
  });
}
