/**
 * Text for a terminal: what others have put into events may hold control characters, with which a terminal can be told to do
 * things, and marks that turn the direction of text. They are shown as what they are.
 */
// oxlint-disable-next-line no-control-regex -- these are meant
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export function safeText(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** JSON as it is, but for characters that JSON lets through and a terminal obeys. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
