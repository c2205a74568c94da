// The actors of the queues that the hardware writes and the interrupt's thread reads. A queue's pump runs in every state but disabled;
// what the hardware is told of it is told as its states are entered and left.
import { type HostContext, queueLogic } from '@faultline/core/actor';
import type { Control, Pump, QueueControl, QueuePlace } from './family/family.ts';
import { orFail } from './or-fail.ts';

export interface QueueActors {
  /** Resolves when every queue has been enabled and the hardware has taken note. */
  enabled(): Promise<void>;
}

/** Adds an actor for each queue on this host, and the pumps that they switch. */
export function addQueueActors(host: HostContext, places: readonly QueuePlace[], { queues }: Control): QueueActors {
  const names = places.filter((place) => place.host === 'interrupt').map(({ name }) => name);
  const pumps = new Map<Pump, SharedPump>();
  const on = new Map<string, () => void>();
  const all = names.map((name) => new Promise<void>((resolve) => on.set(name, resolve)));
  for (const name of names) {
    const queue = queues[name];
    const shared = pumps.get(queue.pump) ?? new SharedPump(host, name, queue.pump);
    pumps.set(queue.pump, shared);
    const told = shared.watch(name, queue);
    const isOn = on.get(name) ?? (() => {});
    const logic = queueLogic(
      (turnedOn) => {
        shared.use(turnedOn ? 1 : -1);
        if (turnedOn) orFail(host, name, 'enabled', queue.enable().then(isOn));
      },
      {
        // The pump empties the queue, and acknowledges the overflow only then: the hardware writes again from there on.
        acknowledgeOverflow: async () => {
          while (queue.isOverflowed()) await turn();
          told.over();
        },
        drainQueue: async () => {
          await queue.disable();
          while (queue.pump.needsWork()) await turn();
        },
      },
    );
    host.addActor(name, logic);
  }
  return { enabled: async () => void (await Promise.all(all)) };
}

/** A pump, on while any of its queues is, which tells their actors of overflows. */
class SharedPump {
  readonly #host: HostContext;
  readonly #name: string;
  readonly #watches: Watch[] = [];
  #users = 0;

  constructor(host: HostContext, name: string, pump: Pump) {
    this.#host = host;
    this.#name = name;
    const watches = this.#watches;
    host.addPump({
      name,
      run: (budget) => {
        const done = pump.pump(budget);
        for (let i = 0; i < watches.length; i++) watches[i].look();
        return done;
      },
      hasWork: () => pump.needsWork(),
    });
  }

  watch(name: string, queue: QueueControl): Watch {
    const watch = new Watch(this.#host, name, queue);
    this.#watches.push(watch);
    return watch;
  }

  use(change: number): void {
    this.#users += change;
    if (this.#users > 0) this.#host.pumps.on(this.#name);
    else this.#host.pumps.off(this.#name);
  }
}

/** Tells a queue's actor of overflows, and of those during an acknowledgement once that is over. */
class Watch {
  readonly #host: HostContext;
  readonly #name: string;
  readonly #queue: QueueControl;
  #seen = 0;
  #isTold = false;

  constructor(host: HostContext, name: string, queue: QueueControl) {
    this.#host = host;
    this.#name = name;
    this.#queue = queue;
  }

  look(): void {
    if (this.#isTold) return;
    const overflows = this.#queue.overflows();
    if (overflows === this.#seen || !this.#host.send(this.#name, 'overflow')) return; // a full mailbox: at the next look
    this.#seen = overflows;
    this.#isTold = true;
  }

  over(): void {
    this.#isTold = false;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
