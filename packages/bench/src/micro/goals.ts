/** What the project set out to reach, at most or at least: printed beside what a run measured. */
export interface Goal {
  readonly most?: number;
  readonly least?: number;
}

/** @param measured in the goal's unit. @returns e.g. `≤ 20 ns`, `≥ 1.7 ×, missed`. */
export function formatGoal({ most, least }: Goal, measured: number, format: (value: number) => string): string {
  const reached = measured <= (most ?? Number.POSITIVE_INFINITY) && measured >= (least ?? Number.NEGATIVE_INFINITY);
  const bound = most === undefined ? `≥ ${format(least ?? 0)}` : `≤ ${format(most)}`;
  return reached ? bound : `${bound}, missed`;
}
