/** The light on a bar whose window was revised: an outline and how many more, fading. */
import type uPlot from 'uplot';
import { MINUTE_MS } from './minute.ts';
import type { Stack } from './stack.ts';

export interface Glow {
  readonly start: number;
  readonly by: number;
  /** By `performance.now()`. */
  readonly until: number;
  readonly lastsMs: number;
}

export function paintGlow(chart: uPlot, glow: Glow, stack: Stack, now: number): void {
  const index = stack.minutes.indexOf(glow.start / 1000);
  if (index < 0) return;
  const left = chart.valToPos(glow.start / 1000, 'x', true);
  const right = chart.valToPos((glow.start + MINUTE_MS) / 1000, 'x', true);
  const top = chart.valToPos(stack.totals[index] ?? 0, 'y', true);
  const { ctx, bbox } = chart;
  const pixel = devicePixelRatio;
  const width = (right - left) * 0.78;
  ctx.save();
  ctx.globalAlpha = Math.max(0, Math.min(1, ((glow.until - now) / glow.lastsMs) * 1.6));
  ctx.fillStyle = 'rgba(255, 226, 138, 0.24)';
  ctx.fillRect(left - 2 * pixel, bbox.top, width + 4 * pixel, bbox.height);
  ctx.strokeStyle = '#ffe28a';
  ctx.lineWidth = 1.5 * pixel;
  ctx.strokeRect(left - pixel, top - pixel, width + 2 * pixel, bbox.top + bbox.height - top);
  ctx.fillStyle = '#ffe28a';
  ctx.font = `700 ${11 * pixel}px "Helvetica Neue", Arial, sans-serif`;
  ctx.textAlign = 'center';
  ctx.fillText(`+${glow.by}`, left + width / 2, Math.max(bbox.top + 9 * pixel, top - 5 * pixel));
  ctx.restore();
}
