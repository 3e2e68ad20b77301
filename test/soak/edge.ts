/**
 * `npm run soak -- edge [n] [seed]`: kills the edge n times, 200 by default, under load, raises its shards meanwhile, and
 * says what became of its events.
 */
import { edgeSoak } from '../e2e/edge-soak.ts';

const RAISES: readonly number[] = [2, 4, 5, 8];

export async function edge([count = '200', seed = '1']: readonly string[]): Promise<boolean> {
  if (!(Number(count) > 0)) throw new Error('Usage: npm run soak -- edge [how many, 200] [seed, 1]');
  const start = performance.now();
  const report = await edgeSoak({
    kills: Number(count),
    seed: Number(seed),
    raises: RAISES,
    onKill: (kill, acknowledged) => {
      if (kill % 10 === 0) console.log(`kill ${kill}: ${acknowledged} events acknowledged so far`);
    },
  });
  const seconds = Math.round((performance.now() - start) / 1000);
  for (const [what, value] of Object.entries({ ...report, seconds }))
    console.log(`${what.padEnd(14)} ${value}`);
  const { hung, refused, lost, doubled, outOfOrder } = report;
  const { undelivered, misdelivered, missed, repeated, miscounted } = report;
  const wrong = hung + refused + lost + doubled + outOfOrder;
  return wrong + undelivered + misdelivered + missed + repeated + miscounted === 0;
}
