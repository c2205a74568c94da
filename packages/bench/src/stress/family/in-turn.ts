/** Runs steps one after the other, in the order they are asked for: for a driver that does one at a time, and several actors that ask. */
export function inTurn(): <T>(step: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (step) => {
    const next = last.then(step);
    last = next.catch(() => {}); // whoever asked hears of it; the next one has its turn all the same
    return next;
  };
}
