// Books: what came in must have gone out.

export const UNBALANCED = 'UnbalancedBooks';

/** For a scenario's check. @throws UnbalancedBooks naming each figure that is not what it should be. */
export function balance(books: Readonly<Record<string, readonly [found: number, due: number]>>): void {
  const wrong = Object.entries(books).filter(([, [found, due]]) => found !== due);
  if (wrong.length === 0) return;
  const error = new Error(wrong.map(([name, [found, due]]) => `${name}: ${found}, not ${due}`).join('; '));
  error.name = UNBALANCED;
  throw error;
}
