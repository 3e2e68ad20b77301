/**
 * Where a command writes: what was asked for to the standard output, what is said about it to the standard error. Colours are
 * for a terminal, and `NO_COLOR` (no-color.org) or `TERM=dumb` does without them, as Node itself has it.
 */
import { styleText } from 'node:util';
import type { WriteStream } from 'node:tty';
import { formatTable, type Column } from './table.ts';
import { safeJson } from './safe-text.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export interface Output {
  /** Whether JSON is asked for. */
  readonly json: boolean;
  /** Resolves when there is room for more: whoever reads may be slow. */
  line(text: string): Promise<void>;
  /** One line of JSON. */
  value(value: unknown): Promise<void>;
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): Promise<void>;
  /** About what is done, beside it. */
  note(text: string): void;
  paint(style: Style, text: string): string;
}

type Stream = Pick<WriteStream, 'write' | 'once'> &
  Partial<Pick<WriteStream, 'isTTY' | 'hasColors' | 'columns'>>;

export interface OutputOptions {
  readonly json: boolean;
  readonly out: Stream;
  readonly err: Stream;
}

export function createOutput({ json, out, err }: OutputOptions): Output {
  const coloured = hasColours(out);
  const paint = (style: Style, text: string): string =>
    coloured ? styleText(style, text, { validateStream: false }) : text;
  const line = async (text: string): Promise<void> => {
    if (out.write(`${text}\n`)) return;
    await new Promise<void>((done) => void out.once('drain', () => done()));
  };
  return {
    json,
    line,
    value: (value) => line(safeJson(value)),
    table: (columns, rows) => {
      // 0 where the terminal does not know.
      const width = out.isTTY === true ? out.columns || undefined : undefined;
      return line(formatTable(columns, rows, { width, heading: (text) => paint('dim', text) }));
    },
    note: (text) => void err.write(`${text}\n`),
    paint,
  };
}

/** What Node says of the terminal, `NO_COLOR`, `FORCE_COLOR` and `TERM` included; none where it is no terminal. */
export function hasColours(stream: Stream): boolean {
  return stream.isTTY === true && stream.hasColors?.() === true;
}
