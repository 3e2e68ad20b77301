/**
 * Text without its letter case, in no language's own way. By way of both cases, so that letters with three forms fall
 * together too (σ, ς and Σ), and so that the start of a text gives the start of its folding, which lower case alone does not.
 */
export function foldCase(text: string): string {
  return text.toLowerCase().toUpperCase();
}
