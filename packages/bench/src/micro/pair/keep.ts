/** What a thread made for a case at its first round, and goes on with in the next ones. */
export function keep<T>(kept: Map<string, T>, name: string, make: () => T): T {
  const found = kept.get(name);
  if (found !== undefined) return found;
  const made = make();
  kept.set(name, made);
  return made;
}
