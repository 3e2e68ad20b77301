/** What became of a request's events, as it is kept for when the request comes again. */

export interface Published {
  readonly id: string;
  /** In ms since the Unix epoch. */
  readonly timestamp: number;
  readonly duplicate: boolean;
}

/** Of each line in turn, or null where it was left out for its conflict. */
export type KeptOutcome = readonly (
  | readonly [id: string, timestamp: number, duplicate: boolean]
  | null
)[];

export function packed(one: Published | null): KeptOutcome[number] {
  return one && [one.id, one.timestamp, one.duplicate];
}

export function unpacked(kept: KeptOutcome[number]): Published | null {
  if (kept === null) return null;
  const [id, timestamp, duplicate] = kept;
  return { id, timestamp, duplicate };
}
