// Every interleaving of a protocol written as generators: a step is what runs between two yields, and holds one atomic access.
// `yield` goes on at the next turn; `yield () => condition` waits, as in Atomics.wait: if the condition holds the thread is
// asleep until some thread yields NOTIFY, else it goes on at once. The yield's value says which: true after a sleep.

export const NOTIFY: unique symbol = Symbol('notify');
export type Wait = () => boolean;
export type Thread = Generator<undefined | typeof NOTIFY | Wait, string | undefined, boolean>;

/** Runs `threads` over a fresh copy of `state` in every order. @returns each outcome once, sorted: `name: result` of the
 * threads that return something, `name: asleep` for those that nobody woke. */
export function everyInterleaving<State extends object>(
  state: State,
  threads: Record<string, (state: State) => Thread>,
): string[] {
  const outcomes = new Set<string>();
  const schedules: number[][] = [[]];
  for (let schedule = schedules.pop(); schedule !== undefined; schedule = schedules.pop()) {
    const run = new Run(structuredClone(state), threads);
    for (const choice of schedule) run.step(choice);
    for (let ready = run.ready(); ready.length > 0; ready = run.ready()) {
      for (const other of ready.slice(1)) schedules.push([...schedule, other]); // come back for the other choices
      schedule = [...schedule, ready[0]];
      run.step(ready[0]);
    }
    outcomes.add(run.outcome());
  }
  return [...outcomes].sort();
}

class Run<State extends object> {
  readonly #names: string[];
  readonly #threads: Thread[];
  readonly #results: (string | undefined)[];
  readonly #done: boolean[];
  readonly #asleep: boolean[];
  readonly #slept: boolean[];

  constructor(state: State, threads: Record<string, (state: State) => Thread>) {
    this.#names = Object.keys(threads);
    this.#threads = Object.values(threads).map((thread) => thread(state));
    this.#results = this.#names.map(() => undefined);
    this.#done = this.#names.map(() => false);
    this.#asleep = this.#names.map(() => false);
    this.#slept = this.#names.map(() => false);
  }

  ready(): number[] {
    return this.#names.map((_, at) => at).filter((at) => !this.#done[at] && !this.#asleep[at]);
  }

  step(at: number): void {
    const { done, value } = this.#threads[at].next(this.#slept[at]);
    this.#slept[at] = false;
    if (done) {
      this.#done[at] = true;
      this.#results[at] = value as string | undefined;
    } else if (value === NOTIFY) this.#asleep.fill(false);
    else if (typeof value === 'function') this.#asleep[at] = this.#slept[at] = value();
  }

  outcome(): string {
    const ends = this.#names.map((name, at) => [name, this.#done[at] ? this.#results[at] : 'asleep']);
    return ends.flatMap(([name, end]) => (end === undefined ? [] : [`${name}: ${end}`])).join(', ');
  }
}
