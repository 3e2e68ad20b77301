/** What is said to a collector of spans, as the environment has it. */

/** `name=value` pairs with commas between them, percent-encoded, as in `OTEL_EXPORTER_OTLP_HEADERS`. */
export function readHeaders(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').filter((pair) => pair.includes('='));
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at).trim().toLowerCase(), decodeURIComponent(pair.slice(at + 1).trim())];
    }),
  );
}
