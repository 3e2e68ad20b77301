/**
 * What a delivery's body is: the event as it is on the wire, or as a CloudEvent (structured mode); of a subscription to
 * batches always an array, or a CloudEvents batch.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 */
import { cloudEventTypes, toCloudEvent } from '../../../src/event/cloud-events.ts';
import { decodeLine } from '../../../src/event/wire.ts';

export type DeliveryFormat = 'json' | 'cloudevents';

export interface DeliveryBody {
  readonly contentType: string;
  readonly text: string;
}

export function encodeBody(
  lines: readonly string[],
  { format, batched }: { readonly format: DeliveryFormat; readonly batched: boolean },
): DeliveryBody {
  const texts =
    format === 'json' ? lines : lines.map((line) => JSON.stringify(toCloudEvent(decodeLine(line))));
  const text = batched ? `[${texts.join(',')}]` : texts[0]!;
  if (format === 'json') return { contentType: 'application/json', text };
  return { contentType: batched ? cloudEventTypes.batch : cloudEventTypes.structured, text };
}
