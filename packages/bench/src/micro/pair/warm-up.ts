const MOST_ITEMS = 2 ** 30;
/** Each up to this many times as long as the one before: from a few items to a whole round, and some whole ones. */
const GROWTH = 16;
const LEAST_ROUNDS = 5;

/** Warms up with growing rounds, and finds how many items make one of about `roundMs`. The fastest round decides: one in which
 * another program had the processor says little. @param round sends so many through. @returns seconds that it took */
export async function warmUp(
  firstItems: number,
  roundMs: number,
  round: (items: number) => Promise<number>,
): Promise<number> {
  let items = firstItems;
  let fastest = 0; // items a second
  for (let rounds = 1; ; rounds++) {
    fastest = Math.max(fastest, items / (await round(items)));
    const enough = Math.min(MOST_ITEMS, (fastest * roundMs) / 1000);
    if (items < enough / 2) items = Math.ceil(Math.min(GROWTH * items, enough));
    else if (rounds >= LEAST_ROUNDS) return items;
  }
}
