/** Bars a minute, stacked by type, drawn by uPlot. A window that is revised after its end lights up. */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { swatches } from './event-palette.ts';
import { formatTime, MINUTE_MS, type TimeRange } from './minute.ts';
import { paintGlow, type Glow } from './revision-glow.ts';
import { stackWindows, type Stack } from './stack.ts';
import type { CountWindow, Revision } from './window-board.ts';

export interface BarChart {
  show(results: readonly CountWindow[], range: TimeRange): void;
  /** Lights the revised windows up for a moment. */
  glow(revisions: readonly Revision[]): void;
  destroy(): void;
}

export interface BarChartOptions {
  /** The minute under the pointer, `undefined` for none. */
  readonly onPoint: (minute: number | undefined) => void;
}

const HEIGHT = 124;
const GLOW_MS = 2_600;

export function createBarChart(root: HTMLElement, { onPoint }: BarChartOptions): BarChart {
  let stack: Stack = stackWindows([], { from: 0, to: MINUTE_MS });
  let range: TimeRange = { from: 0, to: MINUTE_MS };
  let glows: Glow[] = [];
  let frame = 0;

  const plot = new uPlot(
    {
      ...baseOptions(() => range),
      width: Math.max(1, root.clientWidth),
      height: HEIGHT,
      hooks: {
        draw: [(chart) => glows.forEach((glow) => paintGlow(chart, glow, stack, performance.now()))],
        setCursor: [
          (chart) => {
            const at = chart.cursor.idx;
            onPoint(at == null || (chart.cursor.left ?? -1) < 0 ? undefined : stack.minutes[at]! * 1000);
          },
        ],
      },
    },
    stack.data,
    root,
  );

  const resize = new ResizeObserver(() =>
    plot.setSize({ width: Math.max(1, root.clientWidth), height: HEIGHT }),
  );
  resize.observe(root);

  function animate(): void {
    const now = performance.now();
    glows = glows.filter((glow) => glow.until > now);
    plot.redraw(false);
    frame = glows.length > 0 ? requestAnimationFrame(animate) : 0;
  }

  return {
    show(results, shown) {
      range = shown;
      stack = stackWindows(results, shown);
      plot.setData(stack.data);
    },
    glow(revisions) {
      const until = performance.now() + GLOW_MS;
      const revised = new Set(revisions.map((revision) => revision.start));
      const lit = new Map(glows.map((glow) => [glow.start, glow.by]));
      const fresh = revisions.map(({ start, by }) => ({
        start,
        by: by + (lit.get(start) ?? 0),
        until,
        lastsMs: GLOW_MS,
      }));
      glows = [...glows.filter((glow) => !revised.has(glow.start)), ...fresh];
      if (frame === 0 && glows.length > 0) frame = requestAnimationFrame(animate);
    },
    destroy() {
      cancelAnimationFrame(frame);
      resize.disconnect();
      plot.destroy();
    },
  };
}

function baseOptions(range: () => TimeRange): Omit<uPlot.Options, 'width' | 'height'> {
  const ink = '#a9bdbb';
  const font = '11px "Helvetica Neue", Arial, sans-serif';
  const bars = uPlot.paths.bars?.({ align: 1, size: [0.78, 40, 2] });
  return {
    padding: [10, 18, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: false, y: false },
      sync: { key: 'minutes' },
    },
    scales: {
      x: { range: () => [range().from / 1000, range().to / 1000] },
      y: { range: (_chart, _min, max) => [0, Math.max(4, Math.ceil((max ?? 0) * 1.3))] },
    },
    axes: [
      {
        stroke: ink,
        font,
        size: 24,
        gap: 4,
        space: 56,
        grid: { show: false },
        ticks: { show: false },
        incrs: [60, 300, 600],
        values: (_chart, splits) => splits.map((split) => formatTime(split * 1000)),
      },
      {
        stroke: ink,
        font,
        size: 38,
        gap: 6,
        space: 26,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6],
        grid: { stroke: 'rgba(169, 189, 187, 0.14)', width: 1 },
        ticks: { show: false },
        values: (_chart, splits) => splits.map((split) => compact.format(split)),
      },
    ],
    // The tallest first: each shorter one is drawn over it, and what shows of it is its own part.
    series: [
      {},
      ...swatches.toReversed().map(({ colour, label }) => ({
        label,
        fill: colour,
        width: 0,
        paths: bars!,
        points: { show: false },
      })),
    ],
  };
}

const compact = new Intl.NumberFormat('en', { notation: 'compact' });
