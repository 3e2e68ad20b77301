/** Where an event stands in its log: 1 for the first, one more for each that follows. Never renumbered. */
export type Position = number;
