/** Events as rows, and as JSON in the form of the wire. */
import type { Event } from '../../../src/event/event.ts';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import type { Output } from './output.ts';
import { safeJson, safeText } from './safe-text.ts';
import type { Column } from './table.ts';

export const eventColumns: readonly Column[] = [
  { name: 'TIME' },
  { name: 'TYPE' },
  { name: 'SOURCE' },
  { name: 'ABOUT' },
  { name: 'ID' },
  { name: 'DATA' },
];

export function eventRow(event: Event, { paint }: Pick<Output, 'paint'>): readonly string[] {
  const { timestamp, type, source, subject, correlationId, id, data } = event;
  return [
    paint('dim', formatTimestamp(timestamp)),
    paint('cyan', safeText(type)),
    safeText(source),
    safeText(subject ?? correlationId ?? ''),
    paint('dim', safeText(id)),
    safeJson(data),
  ];
}

/** For what comes one by one: columns of a usual width, so that most stand below each other. */
export function eventLine(event: Event, output: Pick<Output, 'paint'>): string {
  const [time, type, source, about, id, data] = eventRow(event, output);
  const what = [type, source, about === '' ? undefined : about].filter((part) => part !== undefined);
  return `${time}  ${what.join('  ')}  ${id}  ${data}`;
}
