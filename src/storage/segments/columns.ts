/**
 * The columns of a segment: what a look-up asks of each event without decoding it. For n events, in the host's byte
 * order (little-endian on every platform that runs this), one column after the other:
 *
 *   f64 event time | u32 hash of the id | u32 offset of the line | u32 checksum of the line
 *   u16 type | u16 correlation | u16 subject, each an index into the segment's terms, or `NONE`
 */
export interface Columns {
  readonly times: Float64Array<ArrayBuffer>;
  readonly ids: Uint32Array<ArrayBuffer>;
  readonly offsets: Uint32Array<ArrayBuffer>;
  readonly checksums: Uint32Array<ArrayBuffer>;
  readonly types: Uint16Array<ArrayBuffer>;
  readonly correlations: Uint16Array<ArrayBuffer>;
  readonly subjects: Uint16Array<ArrayBuffer>;
}

export const NONE = 0xffff;

const BYTES_PER_EVENT = 26;

export function columnBytes(count: number): number {
  return count * BYTES_PER_EVENT;
}

export function allocateColumns(count: number): Columns {
  return viewColumns(new ArrayBuffer(columnBytes(count)), 0, count);
}

export function joinColumns(columns: Columns): Uint8Array<ArrayBuffer> {
  return new Uint8Array(columns.times.buffer);
}

export function columnsOf(segment: {
  readonly count: number;
  readonly columns: Uint8Array<ArrayBuffer>;
}): Columns {
  const { columns, count } = segment;
  // A driver may hand out a view into a larger buffer, which need not be aligned for 8 bytes.
  const bytes = columns.byteOffset % 8 === 0 ? columns : columns.slice();
  return viewColumns(bytes.buffer, bytes.byteOffset, count);
}

function viewColumns(buffer: ArrayBuffer, at: number, count: number): Columns {
  return {
    times: new Float64Array(buffer, at, count),
    ids: new Uint32Array(buffer, at + 8 * count, count),
    offsets: new Uint32Array(buffer, at + 12 * count, count),
    checksums: new Uint32Array(buffer, at + 16 * count, count),
    types: new Uint16Array(buffer, at + 20 * count, count),
    correlations: new Uint16Array(buffer, at + 22 * count, count),
    subjects: new Uint16Array(buffer, at + 24 * count, count),
  };
}
