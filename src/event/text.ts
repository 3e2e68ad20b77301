/**
 * Text that every database here gives back as it was: UTF-8 cannot write half a surrogate pair, and SQLite may cut text
 * at U+0000.
 */
export function isStorableText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed() && !value.includes('\0');
}

export const STORABLE_TEXT = 'must be well-formed Unicode without U+0000';
