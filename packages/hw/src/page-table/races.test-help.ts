// Lets something happen between two steps of one thread: right before its next change of shared memory.

type Changes = Pick<typeof Atomics, 'compareExchange' | 'and' | 'or' | 'store' | 'exchange'>;

function changes(): Changes {
  const { compareExchange, and, or, store, exchange } = Atomics;
  return { compareExchange, and, or, store, exchange };
}

/** Runs `run`, and `interfere` right before the first change of shared memory that `run` makes. */
export function between(interfere: () => void, run: () => void): void {
  const real = changes();
  let due = true;
  const hooked =
    <Arguments extends unknown[], Result>(original: (...list: Arguments) => Result) =>
    (...list: Arguments): Result => {
      if (due) {
        due = false;
        interfere();
      }
      return original(...list);
    };
  Object.assign(Atomics, {
    compareExchange: hooked(real.compareExchange),
    and: hooked(real.and),
    or: hooked(real.or),
    store: hooked(real.store),
    exchange: hooked(real.exchange),
  });
  try {
    run();
  } finally {
    Object.assign(Atomics, real);
  }
}
