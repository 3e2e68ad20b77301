/** `npm run soak -- edge [n] [seed]`: kills the edge n times, 200 by default, under load, and says what became of its events. */
import { edgeSoak } from '../e2e/edge-soak.ts';

export async function edge([count = '200', seed = '1']: readonly string[]): Promise<boolean> {
  if (!(Number(count) > 0)) throw new Error('Usage: npm run soak -- edge [how many, 200] [seed, 1]');
  const start = performance.now();
  const report = await edgeSoak({
    kills: Number(count),
    seed: Number(seed),
    onKill: (kill, acknowledged) => {
      if (kill % 10 === 0) console.log(`kill ${kill}: ${acknowledged} events acknowledged so far`);
    },
  });
  const seconds = Math.round((performance.now() - start) / 1000);
  for (const [what, value] of Object.entries({ ...report, seconds }))
    console.log(`${what.padEnd(14)} ${value}`);
  const { refused, lost, doubled, outOfOrder, undelivered, misdelivered } = report;
  return refused + lost + doubled + outOfOrder + undelivered + misdelivered === 0;
}
