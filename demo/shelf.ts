/** The shelf: a card a product, to look at or to put into the cart. */
import { find, stamp, write } from './element.ts';
import { drawBag } from './grain-art.ts';
import { formatCents, products, type Product } from './products.ts';

export interface ShelfOptions {
  readonly onView: (product: Product) => void;
  readonly onAdd: (product: Product) => void;
}

export function fillShelf(list: HTMLElement, options: ShelfOptions): void {
  list.replaceChildren(...products.map((product, index) => createCard(product, index + 1, options)));
}

function createCard(product: Product, number: number, { onView, onAdd }: ShelfOptions): HTMLElement {
  const card = stamp('card');
  card.dataset['testid'] = `product-card-${number}`;
  card.dataset['grain'] = product.grain;
  find(card, '.card-picture', HTMLElement).innerHTML = drawBag(product.grain);
  write(find(card, '.card-name', HTMLElement), product.name);
  write(find(card, '.card-grain', HTMLElement), product.line);
  write(find(card, '.card-price', HTMLElement), formatCents(product.priceCents));

  const view = find(card, '.card-view', HTMLButtonElement);
  view.dataset['testid'] = `view-${product.id}`;
  view.setAttribute('aria-haspopup', 'dialog');
  view.addEventListener('click', () => onView(product));

  const add = find(card, '.add', HTMLButtonElement);
  add.dataset['testid'] = `add-${product.id}`;
  add.setAttribute('aria-label', `Add ${product.name} to the cart`);
  add.addEventListener('click', () => onAdd(product));
  return card;
}
