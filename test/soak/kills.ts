/** `npm run soak -- kills [n] [seed]`: kills a browser n times, 100 by default, and says what became of its events. */
import { killSoak } from '../e2e/kill-soak.ts';

export async function kills([count = '100', seed = '1']: readonly string[]): Promise<boolean> {
  if (!(Number(count) > 0)) throw new Error('Usage: npm run soak -- kills [how many, 100] [seed, 1]');
  // What was started goes with us.
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  const start = performance.now();
  const { statements, faults, troubles, ...report } = await killSoak({
    kills: Number(count),
    seed: Number(seed),
    onKill: (kill, receipts) => console.log(`kill ${kill}: ${receipts} receipts so far`),
  });
  const { none: well, ...failed } = faults;
  const seconds = Math.round((performance.now() - start) / 1000);
  for (const [what, value] of Object.entries({ ...report, 'requests well': well, ...failed, seconds }))
    console.log(`${what.padEnd(14)} ${value}`);
  for (const trouble of new Set(troubles)) console.log(trouble);
  for (const { seq, chain } of statements)
    console.log(`the edge states: complete from ${chain?.since} to ${seq}, chain ${chain?.value}`);
  return report.lost + report.doubled + report.outOfOrder === 0;
}
