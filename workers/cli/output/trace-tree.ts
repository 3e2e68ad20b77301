/** A trace as a tree: a line for each event, and one for each of its deliveries. */
import type { Output } from './output.ts';
import { safeText } from './safe-text.ts';
import { formatTable } from './table.ts';

/** As `GET /trace/{id}` has it. */
export interface ShownTrace {
  readonly events: readonly ShownEvent[];
  readonly trace_ids: readonly string[];
  readonly started_at?: string;
  readonly ended_at?: string;
  readonly truncated: boolean;
}

interface ShownEvent {
  readonly id: string;
  readonly depth: number;
  readonly type?: string;
  readonly source?: string;
  readonly after_start_ms?: number;
  readonly missing?: boolean;
  readonly circular?: boolean;
  readonly deliveries: readonly ShownDelivery[];
}

interface ShownDelivery {
  readonly service_name: string;
  readonly sequence?: number;
  readonly status?: string;
  readonly attempts?: number;
  readonly trail?: readonly {
    readonly status?: number;
    readonly error?: string;
    readonly latency_ms?: number;
  }[];
}

/** What is deeper is drawn no further to the right. */
const DEEPEST = 40;

export function formatTrace({ events }: ShownTrace, { paint }: Pick<Output, 'paint'>): string {
  const rows = events.flatMap((event, i) => {
    const branches = branchesOf(events, i);
    const { type, source = '', after_start_ms: after, id, missing, circular } = event;
    const name = missing ? paint('red', 'missing') : paint('cyan', safeText(type ?? ''));
    const loop = circular ? paint('red', ' (its own cause)') : '';
    const time = after === undefined ? '' : `+${after} ms`;
    const below = event.deliveries.map((delivery) => [
      `${branches.below}${paint('dim', '→')} ${deliveryText(delivery, paint)}`,
    ]);
    return [
      [`${branches.own}${name}${loop}`, time, safeText(source), paint('dim', safeText(id))],
      ...below,
    ];
  });
  // A delivery's text is no cell: it would widen the column of all events.
  const table = formatTable(
    [{ name: 'EVENT' }, { name: 'TIME', align: 'right' }, { name: 'SOURCE' }, { name: 'ID' }],
    rows.filter((row) => row.length > 1),
    { heading: (text) => paint('dim', text) },
  ).split('\n');
  const [heading, ...lines] = table;
  return [heading, ...rows.map((row) => (row.length > 1 ? lines.shift() : row[0]))].join('\n');
}

/** The lines that lead to an event, and those that go on beside what is said below it. */
function branchesOf(events: readonly ShownEvent[], at: number): { own: string; below: string } {
  const depth = Math.min(events[at]!.depth, DEEPEST);
  let before = '';
  for (let level = 1; level < depth; level++) before += goesOn(events, at, level) ? '│  ' : '   ';
  const more = goesOn(events, at, depth);
  const effects = (events[at + 1]?.depth ?? 0) > events[at]!.depth ? '│  ' : '   ';
  if (depth === 0) return { own: '', below: effects };
  return { own: before + (more ? '├─ ' : '└─ '), below: before + (more ? '│  ' : '   ') + effects };
}

/** Whether another event of that depth comes before one that is less deep. */
function goesOn(events: readonly ShownEvent[], at: number, depth: number): boolean {
  for (let next = at + 1; next < events.length; next++) {
    if (events[next]!.depth < depth) return false;
    if (events[next]!.depth === depth) return true;
  }
  return false;
}

function deliveryText(
  { service_name, sequence, status = '', attempts = 0, trail = [] }: ShownDelivery,
  paint: Output['paint'],
): string {
  const last = trail.at(-1);
  const style = status === 'delivered' ? 'green' : status === 'waiting' ? 'yellow' : 'red';
  const answer = last?.status ?? last?.error;
  const parts = [
    `${safeText(service_name)} #${sequence}`,
    paint(style, safeText(status)),
    `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`,
    ...(answer === undefined ? [] : [`${safeText(String(answer))} in ${last?.latency_ms ?? 0} ms`]),
  ];
  return parts.join('  ');
}
