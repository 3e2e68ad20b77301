/** The types of events as the charts and the ribbon show them: one colour and one word each, in one order. */

export interface EventSwatch {
  readonly type: string;
  readonly label: string;
  /** Told apart on the mill's dark ground, also by who sees no red or green. */
  readonly colour: string;
}

/** From the foot of a bar upwards. `other` takes the types that are not of this shop. */
export const swatches: readonly EventSwatch[] = [
  { type: 'page.viewed', label: 'page viewed', colour: '#5b93b5' },
  { type: 'product.viewed', label: 'product viewed', colour: '#9ad1e3' },
  { type: 'product.added', label: 'product added', colour: '#f0c55a' },
  { type: 'product.removed', label: 'product removed', colour: '#d9714a' },
  { type: 'order.placed', label: 'order placed', colour: '#f3f6ee' },
  { type: 'other', label: 'other', colour: '#6d7f80' },
];

const byType = new Map(swatches.map((swatch, index) => [swatch.type, index]));

/** Where a type stands among the swatches. */
export function swatchIndex(type: string): number {
  return byType.get(type) ?? swatches.length - 1;
}

export function isShopType(type: string): boolean {
  return byType.has(type) && type !== 'other';
}

export function eventColour(type: string): string {
  return swatches[swatchIndex(type)]!.colour;
}

/** In words, as `product added`; a type of another source as it is written. */
export function eventLabel(type: string): string {
  return isShopType(type) ? swatches[swatchIndex(type)]!.label : type;
}
