/** The pictures: a bag of flour a product, with its grain drawn on the label. Vector paths, no files. */

export type Grain = 'wheat' | 'rye' | 'spelt' | 'buckwheat' | 'oat' | 'maize';

/** A bag, 200 by 220 units. Its colours come from the custom properties of `.bag` in shelf.css. */
export function drawBag(grain: Grain): string {
  return `<svg class="bag" viewBox="0 0 200 220" aria-hidden="true" focusable="false">
    <ellipse class="bag-shadow" cx="100" cy="206" rx="72" ry="8"/>
    <path class="bag-body" d="M50 44h100l9 152a9 9 0 0 1-9 9H50a9 9 0 0 1-9-9z"/>
    <path class="bag-side" d="M150 44l9 152a9 9 0 0 1-9 9h-13l-4-161z"/>
    <path class="bag-fold" d="M48 20h104a3 3 0 0 1 3 3l-3 27H48l-3-27a3 3 0 0 1 3-3z"/>
    <path class="bag-stitch" d="M52 42h96"/>
    <path class="bag-label" d="M62 186v-66a38 38 0 0 1 76 0v66z"/>
    <g class="bag-grain" transform="translate(100 132)">${glyphs[grain]()}</g>
  </svg>`;
}

const glyphs: Readonly<Record<Grain, () => string>> = {
  wheat: () => ear({ pairs: 5, length: 13, width: 5, tilt: 32, step: 11 }),
  rye: () => ear({ pairs: 7, length: 10, width: 3.4, tilt: 20, step: 8, awns: 26 }),
  spelt: () => ear({ pairs: 4, length: 15, width: 4.6, tilt: 18, step: 14 }),
  buckwheat: buckwheatSeeds,
  oat: oatPanicle,
  maize: maizeCob,
};

interface EarShape {
  readonly pairs: number;
  readonly length: number;
  readonly width: number;
  /** Of a kernel against the stalk, in degrees. */
  readonly tilt: number;
  readonly step: number;
  readonly awns?: number;
}

function ear({ pairs, length, width, tilt, step, awns = 0 }: EarShape): string {
  const top = -30;
  const kernels = Array.from({ length: pairs }, (_, index) => {
    const y = top + 12 + index * step;
    return [-1, 1].map((side) => kernel(side, y, length, width, tilt, awns)).join('');
  });
  return `<path class="stalk" d="M0 ${top + 8}V46"/>${kernel(0, top, length, width, 0, awns)}${kernels.join('')}`;
}

function kernel(
  side: number,
  y: number,
  length: number,
  width: number,
  tilt: number,
  awns: number,
): string {
  const half = length / 2;
  const shape = `<path d="M0 ${-half}q${width} ${half} 0 ${length}q${-width} ${-half} 0 ${-length}z"/>`;
  const awn = awns === 0 ? '' : `<path class="awn" d="M0 ${-half}v${-awns}"/>`;
  return `<g transform="translate(${side * (width + 1.5)} ${y}) rotate(${side * tilt})">${shape}${awn}</g>`;
}

function buckwheatSeeds(): string {
  const places = [
    [0, -26, 0],
    [-15, -8, -14],
    [15, -8, 14],
    [0, 6, 180],
    [-18, 22, 160],
    [18, 22, -160],
    [0, 34, 0],
  ] as const;
  return places
    .map(
      ([x, y, turn]) =>
        `<g transform="translate(${x} ${y}) rotate(${turn})"><path d="M0-12Q8-2 9 7Q0 11-9 7Q-8-2 0-12z"/><path class="vein" d="M0-8V6"/></g>`,
    )
    .join('');
}

function oatPanicle(): string {
  const drops = [
    [-22, -6],
    [22, -12],
    [-27, 18],
    [26, 12],
    [-13, 32],
    [15, 34],
    [0, -26],
  ] as const;
  const branches = drops.map(
    ([x, y]) => `<path class="stalk" d="M0 ${y - 16}Q${x} ${y - 24} ${x} ${y - 6}"/>`,
  );
  const seeds = drops.map(
    ([x, y]) => `<path transform="translate(${x} ${y})" d="M0-9Q7 0 1 13L0 9l-1 4Q-7 0 0-9z"/>`,
  );
  return `<path class="stalk" d="M0-44V50"/>${branches.join('')}${seeds.join('')}`;
}

function maizeCob(): string {
  const kernels = [];
  for (let row = 0; row < 9; row++) {
    const inset = row === 0 ? 1 : 0;
    for (let column = inset; column < 4 - inset; column++) {
      kernels.push(
        `<rect x="${column * 9 - 17.5}" y="${row * 8 - 40}" width="7.6" height="6.6" rx="2.6"/>`,
      );
    }
  }
  return `${kernels.join('')}<path class="husk" d="M-3 46Q-32 30-27-8-14 16-3 46zM3 46Q32 30 27-8 14 16 3 46z"/>`;
}
