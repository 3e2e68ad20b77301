/**
 * The picture of the race: drops run from the page into the pond, which is the log, and, while the gate is open, over
 * the wheel to the edge. Each drop is a commit or an acknowledgement that happened; a great many share one.
 */
import type { ClientStatus } from 'millrace/browser';
import type { ConnectionState } from './connection.ts';
import { find } from './element.ts';
import { eventColour } from './event-palette.ts';

export interface Race {
  update(status: ClientStatus, connection: ConnectionState): void;
  /** An event of that type was captured: the next drop has its colour. */
  tint(type: string): void;
}

const IN = 'M71 40C97 40 111 46 115 82L128 90';
const OUT = 'M280 88H372C388 88 404 84 421 96C446 112 446 148 424 162L520 164';
const IN_MS = 700;
const OUT_MS = 1_500;
/** Drops in the air at a time. */
const DROPS = 40;
const POND_DEEP = 42;

export function createRace(root: SVGElement): Race {
  const part = (name: string): SVGElement => find(root, `[data-race="${name}"]`, SVGElement);
  const [pond, wheel, drops] = [part('pond'), part('wheel'), part('drops')];
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const tints: string[] = [];
  let before: ClientStatus | undefined;
  let turned = 0;

  return {
    tint: (type) => void (tints.length < DROPS && tints.push(eventColour(type))),
    update(status, connection) {
      root.dataset['gate'] = connection === 'offline' ? 'shut' : 'open';
      root.dataset['edge'] = connection === 'online' ? 'reached' : 'away';
      pond.style.transform = `translateY(${90 - depth(status.waiting)}px)`;
      const committed = before === undefined ? 0 : status.committed - before.committed;
      const sent = before === undefined ? 0 : status.acknowledged - before.acknowledged;
      before = status;
      if (committed > 0) pour(IN, IN_MS, tints.splice(0, committed), committed);
      if (sent <= 0) return;
      pour(OUT, OUT_MS, [], sent);
      turned += Math.min(sent, 40) * 12;
      wheel.style.transform = `rotate(${turned}deg)`;
    },
  };

  function pour(path: string, lastsMs: number, colours: readonly string[], count: number): void {
    if (still.matches || document.visibilityState === 'hidden') return;
    const shown = Math.min(count, 16, DROPS - drops.childElementCount);
    for (let drop = 0; drop < shown; drop++) fall(path, lastsMs, drop * (500 / shown), colours[drop]);
  }

  function fall(path: string, lastsMs: number, delay: number, colour: string | undefined): void {
    const drop = document.createElementNS('http://www.w3.org/2000/svg', 'circle');
    drop.setAttribute('r', '4');
    drop.setAttribute('class', 'drop');
    if (colour !== undefined) drop.style.fill = colour;
    drop.style.offsetPath = `path("${path}")`;
    drops.append(drop);
    const frames = [
      { offsetDistance: '0%', opacity: 0 },
      { offsetDistance: '8%', opacity: 1, offset: 0.08 },
      { offsetDistance: '88%', opacity: 1, offset: 0.88 },
      { offsetDistance: '100%', opacity: 0 },
    ];
    const run = drop.animate(frames, { duration: lastsMs, delay, easing: 'ease-in', fill: 'both' });
    const end = (): void => drop.remove();
    run.finished.then(end, end);
  }
}

/** How full the pond is, in units of the picture: by the order of magnitude, a thousand fill it. */
function depth(waiting: number): number {
  return 4 + Math.min(1, Math.log2(1 + waiting) / 10) * (POND_DEEP - 4);
}
