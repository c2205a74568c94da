/** Takes turns with a promise that is under way: whoever it waits for lives in `turn`, on this thread. */
export async function during<T>(promise: Promise<T>, turn: () => void): Promise<T> {
  let open = true;
  const end = (): void => {
    open = false;
  };
  promise.then(end, end);
  while (open) {
    turn();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return promise;
}
