import { checkInteger, IommuError } from '@faultline/core/errors';

/** What a function can do wrong, or its link. */
export const MISBEHAVIOURS = [
  'creditsExceeded', // issues requests without regard to its allocation
  'groupIndexReused', // gives a group the index of one that is outstanding
  'lastPageMissing', // never sends a group's last page flag
  'lastPageDoubled', // sends a group's last request twice
  'pasidChangedInGroup', // sends a group's first request with another PASID than the rest
  'responseLost', // the link loses a response on its way to the function
  'responseDuplicated', // the link delivers a response twice
  'requestsAfterPriOff', // issues requests while PRI is disabled
  'storm', // besides, sends single-page groups as fast as the link takes them, without regard to its allocation
] as const;
export type Misbehaviour = (typeof MISBEHAVIOURS)[number];

/** Switches: true is each time, n is each nth time that there is occasion, false or 0 is never. */
export type Misbehaviours = { readonly [name in Misbehaviour]?: boolean | number };

export const CREDITS_EXCEEDED = 0;
export const GROUP_INDEX_REUSED = 1;
export const LAST_PAGE_MISSING = 2;
export const LAST_PAGE_DOUBLED = 3;
export const PASID_CHANGED_IN_GROUP = 4;
export const RESPONSE_LOST = 5;
export const RESPONSE_DUPLICATED = 6;
export const REQUESTS_AFTER_PRI_OFF = 7;
export const STORM = 8;

/** The switches of one endpoint, by number: its loops ask often. */
export class Switches {
  readonly #every: Int32Array = new Int32Array(MISBEHAVIOURS.length);
  readonly #seen: Int32Array = new Int32Array(MISBEHAVIOURS.length);

  /** Replaces all switches. @throws IommuError EINVAL names the switch. */
  set(switches: Misbehaviours): void {
    for (const name of Object.keys(switches)) {
      if (!(MISBEHAVIOURS as readonly string[]).includes(name))
        throw new IommuError(
          'EINVAL',
          'misbehave',
          'switch',
          name,
          `there is no such switch: ${MISBEHAVIOURS.join(', ')}`,
        );
    }
    const every = MISBEHAVIOURS.map((name) => {
      const value = switches[name] ?? 0;
      return typeof value === 'boolean' ? Number(value) : checkInteger('misbehave', name, value, 0, 2 ** 30);
    });
    this.#every.set(every);
    this.#seen.fill(0);
  }

  isOn(which: number): boolean {
    return this.#every[which] !== 0;
  }

  /** Whether this occasion is one to misbehave on. */
  isDue(which: number): boolean {
    const every = this.#every[which];
    if (every === 0 || ++this.#seen[which] < every) return false;
    this.#seen[which] = 0;
    return true;
  }
}
