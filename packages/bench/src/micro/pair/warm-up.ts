export const MOST_ITEMS: number = 2 ** 30;
/** Round trips of a round at most: threads that come to share a processor take a thousand times as long for each. */
export const MOST_TRIPS = 20_000;
/** Each up to this many times as long as the one before: from a few items to a whole round, and some whole ones. */
const GROWTH = 16;
const LEAST_ROUNDS = 5;
/** How many times too long a round may be before it is made shorter. */
const TOO_LONG = 4;

/** Warms up with growing rounds, and finds how many items make one of about `roundMs`. The fastest round decides: one in which
 * another program had the processor says little. @param round sends so many through. @returns seconds that it took */
export async function warmUp(
  firstItems: number,
  roundMs: number,
  round: (items: number) => Promise<number>,
  mostItems: number = MOST_ITEMS,
): Promise<number> {
  let items = firstItems;
  let fastest = 0; // items a second
  for (let rounds = 1; ; rounds++) {
    const seconds = await round(items);
    fastest = Math.max(fastest, items / seconds);
    const enough = Math.min(mostItems, (fastest * roundMs) / 1000);
    if (items < enough / 2) items = Math.ceil(Math.min(GROWTH * items, enough));
    else if (rounds >= LEAST_ROUNDS) return Math.ceil(items * Math.min(1, (TOO_LONG * roundMs) / 1000 / seconds));
  }
}
