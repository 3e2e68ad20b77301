/** What a benchmark tells: its rows, whether they met their goals, and how they are shown. */

export interface Row {
  /** What was measured, such as `append 1,000 events`. */
  readonly case: string;
  readonly ours: number;
  /** The peer's figure, or the platform's limit, from the same run. */
  readonly peer: number;
  /** `ours` against `peer`, the way round that the goal is meant. */
  readonly ratio: number;
  /** Such as `>=5` or `<=1.2`; empty where the figure is only shown. */
  readonly goal: string;
  /** Of `ours` and `peer`, such as `events/s`. */
  readonly unit?: string;
}

/** The default export of `test/bench/NAME.bench.ts`. */
export interface Bench {
  readonly name: string;
  /** Measures, and checks every case against its oracle: a wrong result throws, it is no row. */
  run(): Promise<Row[]>;
}

export type Verdict = 'met' | 'missed' | '';

/**
 * Whether a ratio meets its goal; nothing where there is none.
 *
 * @throws When the goal is not a comparison with a number.
 */
export function judge(ratio: number, goal: string): Verdict {
  if (goal.trim() === '') return '';
  const [, sign, bound] = /^(>=|<=|>|<)\s*(\d+(?:\.\d+)?)$/.exec(goal.trim()) ?? [];
  if (sign === undefined || bound === undefined)
    throw new Error(`The goal ${goal} is not of the form >=5 or <=1.2.`);
  return compares(ratio, sign, Number(bound)) ? 'met' : 'missed';
}

/** The rows under a heading, figures aligned right. */
export function formatTable(rows: readonly Row[]): string {
  const head = ['case', 'ours', 'peer or limit', 'ratio', 'goal', ''];
  const lines = [head, ...rows.map(cells)];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const draw = (line: readonly string[]): string =>
    line
      .map((text, column) =>
        isFigure(column) ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('──');
  return [draw(head), rule, ...rows.map((row) => draw(cells(row)))].join('\n');
}

/** One line of JSON, for machines. */
export function formatJson(name: string, rows: readonly Row[]): string {
  return JSON.stringify({
    name,
    rows: rows.map((row) => ({
      case: row.case,
      ours: row.ours,
      peer: row.peer,
      ratio: row.ratio,
      goal: row.goal,
    })),
  });
}

function compares(ratio: number, sign: string, bound: number): boolean {
  if (sign === '>=') return ratio >= bound;
  if (sign === '<=') return ratio <= bound;
  return sign === '>' ? ratio > bound : ratio < bound;
}

function cells(row: Row): string[] {
  const unit = row.unit === undefined ? '' : ` ${row.unit}`;
  const figures = [`${figure(row.ours)}${unit}`, `${figure(row.peer)}${unit}`, `${figure(row.ratio)} ×`];
  return [row.case, ...figures, row.goal, judge(row.ratio, row.goal)];
}

function isFigure(column: number): boolean {
  return column >= 1 && column <= 4;
}

/** Three figures that count, thousands grouped. */
function figure(value: number): string {
  const digits = Math.abs(value) >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return value.toLocaleString('en-US', digits);
}
