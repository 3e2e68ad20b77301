/** How far a replay is: a bar where somebody watches, a line now and then where not. */
export interface ProgressDisplay {
  show(state: { readonly sent: number; readonly bytesRead: number }): void;
  /** Writes a line of its own, above the bar. */
  say(line: string): void;
  end(): void;
}

export interface ProgressDisplayOptions {
  readonly output: { readonly isTTY?: boolean; write(text: string): unknown };
  /** Of the file. None where it is not known. */
  readonly totalBytes?: number | undefined;
}

const BAR_WIDTH = 30;
const TTY_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 2000;

export function createProgressDisplay({ output, totalBytes }: ProgressDisplayOptions): ProgressDisplay {
  const isTTY = output.isTTY === true;
  const started = performance.now();
  let shown = isTTY ? -Infinity : started;
  let drawn = false;

  const clear = (): void => {
    if (drawn) output.write('\r\u001b[K');
    drawn = false;
  };
  return {
    show({ sent, bytesRead }) {
      const now = performance.now();
      if (now - shown < (isTTY ? TTY_INTERVAL_MS : PLAIN_INTERVAL_MS)) return;
      shown = now;
      const rate = Math.round(sent / Math.max((now - started) / 1000, 0.001));
      const part =
        totalBytes === undefined ? undefined : Math.min(1, bytesRead / Math.max(1, totalBytes));
      const text = [part === undefined ? '' : share(part, isTTY), `${sent} sent`, `${rate}/s`]
        .filter(Boolean)
        .join('  ');
      clear();
      output.write(isTTY ? text : `${text}\n`);
      drawn = isTTY;
    },
    say(line) {
      clear();
      output.write(`${line}\n`);
    },
    end: clear,
  };
}

function share(part: number, bar: boolean): string {
  const percent = `${Math.floor(part * 100)}%`.padStart(4);
  if (!bar) return percent.trim();
  const full = Math.floor(part * BAR_WIDTH);
  return `[${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}]${percent}`;
}
