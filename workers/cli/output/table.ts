/** Rows under a heading, each column as wide as what is in it; the last one is cut where the terminal ends. */
import { stripVTControlCharacters } from 'node:util';

export interface Column {
  readonly name: string;
  /** Default: left. */
  readonly align?: 'left' | 'right';
}

export interface TableOptions {
  /** In characters. Default: as wide as it takes. */
  readonly width?: number | undefined;
  /** How the heading is shown. Default: as it is. */
  readonly heading?: (text: string) => string;
}

const GAP = '  ';

/** Without a line break at its end. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width = Infinity, heading = (text) => text }: TableOptions = {},
): string {
  const widths = columns.map(({ name }, i) =>
    rows.reduce((most, row) => Math.max(most, widthOf(row[i] ?? '')), widthOf(name)),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align = 'left' }, i) => {
        const cell = cells[i] ?? '';
        const space = ' '.repeat(Math.max(0, widths[i]! - widthOf(cell)));
        return align === 'right' ? space + cell : cell + space;
      })
      .join(GAP)
      .trimEnd();
  const titles = line(columns.map(({ name }) => name));
  return [heading(cut(titles, width)), ...rows.map((row) => cut(line(row), width))].join('\n');
}

/** In columns of a terminal: those of East Asia and pictures take two (Unicode Standard Annex 11, roughly). */
export function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(stripVTControlCharacters(text)))
    width += WIDE.test(segment) ? 2 : 1;
  return width;
}

const graphemes = new Intl.Segmenter();
const WIDE =
  /^(?:\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|[\uff01-\uff60\u3000-\u303e])/u;

/** Ends with an ellipsis where it is cut. What is coloured is cut only behind its colours. */
function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let used = 1;
  for (const part of text.split(COLOUR)) {
    if (COLOUR_ALONE.test(part)) {
      kept += part;
      continue;
    }
    for (const { segment } of graphemes.segment(part)) {
      used += widthOf(segment);
      if (used > width) break;
      kept += segment;
    }
  }
  return `${kept}…`;
}

// oxlint-disable-next-line no-control-regex -- the terminal's own
const COLOUR = /(\u001b\[[0-9;]*m)/;
// oxlint-disable-next-line no-control-regex -- the terminal's own
const COLOUR_ALONE = /^\u001b\[[0-9;]*m$/;
