/** One of the two charts with its words: a reading of the minute pointed at, and a summary for who does not see it. */
import { createBarChart } from './bar-chart.ts';
import { find, write } from './element.ts';
import { shownRange } from './minute.ts';
import { readWindows } from './stack.ts';
import { WindowBoard, type CountWindow, type Revision } from './window-board.ts';

export interface ChartPanel {
  readonly name: string;
  /** Takes results in, as the `WindowBoard` does, and shows them. */
  take(results: readonly CountWindow[], how: 'merge' | 'load' | 'replace'): void;
  /** What the chart shows now, by start, then by key. */
  shown(): CountWindow[];
  /** Moves the chart on with the time. */
  tick(): void;
}

export interface ChartPanelOptions {
  /** `the edge`, as part of a sentence. */
  readonly name: string;
  readonly onRevised: (revisions: readonly Revision[], panel: ChartPanel) => void;
  readonly onShown: () => void;
}

export function createChartPanel(figure: HTMLElement, options: ChartPanelOptions): ChartPanel {
  const board = new WindowBoard();
  const reading = find(figure, '[data-chart-part="reading"]', HTMLElement);
  const root = find(figure, '[data-chart-part="plot"]', HTMLElement);
  let pointed: number | undefined;
  let queued = false;

  const chart = createBarChart(root, {
    onPoint(minute) {
      if (minute === pointed) return;
      pointed = minute;
      readOut();
    },
  });

  const panel: ChartPanel = {
    name: options.name,
    take(results, how) {
      const revisions = board[how](results, Date.now());
      draw();
      if (revisions.length === 0) return;
      chart.glow(revisions);
      options.onRevised(revisions, panel);
    },
    shown() {
      const { from, to } = shownRange(Date.now());
      return board.results().filter(({ window }) => window.start >= from && window.start < to);
    },
    tick() {
      board.forget(shownRange(Date.now()).from);
      draw();
    },
  };
  draw();
  return panel;

  function draw(): void {
    // A burst of results is one picture.
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      chart.show(panel.shown(), shownRange(Date.now()));
      readOut();
      options.onShown();
    });
  }

  function readOut(): void {
    const range = shownRange(Date.now());
    write(reading, readWindows(panel.shown(), range, pointed));
    root.setAttribute(
      'aria-label',
      `Bars by minute, ${options.name}: ${readWindows(panel.shown(), range)}`,
    );
  }
}
