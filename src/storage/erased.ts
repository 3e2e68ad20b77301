/** What is read in the place of data that was erased. */
export const ERASED = { $erased: true } as const;
