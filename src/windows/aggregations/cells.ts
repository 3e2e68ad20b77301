/** Columns of numbers that grow. */

/** The cells with room for so many, new ones filled. Room at least doubles, so that growing by one costs little. */
export function grown(cells: Float64Array, length: number, fill: number): Float64Array<ArrayBuffer> {
  if (length <= cells.length) return cells as Float64Array<ArrayBuffer>;
  const larger = new Float64Array(Math.max(length, cells.length * 2)).fill(fill, cells.length);
  larger.set(cells);
  return larger;
}
