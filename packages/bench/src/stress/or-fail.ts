import type { HostContext } from '@faultline/core/actor';

/** Has the main thread hear of work that an actor's state began and that failed, as of an actor that failed. */
export function orFail(host: HostContext, actor: string, state: string, work: Promise<unknown>): void {
  work.catch((reason: unknown) => {
    const { name, message, stack = '' } = reason instanceof Error ? reason : new Error(String(reason));
    host.events.emit('actor-failed', { actor, state, message: `${name}: ${message}`, stack });
  });
}
