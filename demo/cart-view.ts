/** The cart as it stands: change a quantity, take a bag out, order. */
import type { Cart, CartLine } from './cart.ts';
import { find, stamp, write } from './element.ts';
import { formatCents, type Product } from './products.ts';

export interface CartViewOptions {
  /** `by` is positive for bags put in, negative for bags taken out. */
  readonly onChange: (product: Product, by: number) => void;
  readonly onOrder: () => void;
}

export interface CartView {
  show(cart: Cart): void;
  /** Says something under the cart, and to who listens rather than looks. */
  say(note: string): void;
}

export function createCartView(
  root: HTMLElement,
  badge: HTMLElement,
  options: CartViewOptions,
): CartView {
  const part = (name: string): HTMLElement => find(root, `[data-cart="${name}"]`, HTMLElement);
  const rows = new Map<string, HTMLElement>();
  part('order').addEventListener('click', options.onOrder);

  return {
    show(cart) {
      const lines = cart.lines();
      const kept = new Set(lines.map((line) => line.product.id));
      for (const [id, row] of rows) {
        if (kept.has(id)) continue;
        // Focus must not fall back to the top of the page when its row goes.
        if (row.contains(document.activeElement)) root.focus({ preventScroll: true });
        row.remove();
        rows.delete(id);
      }
      for (const line of lines) showLine(line);
      part('empty').hidden = lines.length > 0;
      part('foot').hidden = lines.length === 0;
      write(part('total'), formatCents(cart.totalCents()));
      write(badge, String(cart.count()));
    },
    say: (note) => write(part('note'), note),
  };

  function showLine(line: CartLine): void {
    let row = rows.get(line.product.id);
    if (row === undefined) {
      row = createRow(line.product, options);
      rows.set(line.product.id, row);
      part('lines').append(row);
    }
    write(find(row, 'output', HTMLElement), String(line.quantity));
    write(find(row, '.line-price', HTMLElement), formatCents(line.quantity * line.product.priceCents));
    row.dataset['quantity'] = String(line.quantity);
  }
}

function createRow(product: Product, { onChange }: CartViewOptions): HTMLElement {
  const row = stamp('cart-line');
  row.dataset['testid'] = `cart-line-${product.id}`;
  row.dataset['grain'] = product.grain;
  write(find(row, '.line-name', HTMLElement), product.name);

  const fewer = find(row, '[data-step="-1"]', HTMLButtonElement);
  fewer.setAttribute('aria-label', `One ${product.name} fewer`);
  fewer.dataset['testid'] = `fewer-${product.id}`;
  fewer.addEventListener('click', () => onChange(product, -1));

  const more = find(row, '[data-step="1"]', HTMLButtonElement);
  more.setAttribute('aria-label', `One ${product.name} more`);
  more.dataset['testid'] = `more-${product.id}`;
  more.addEventListener('click', () => onChange(product, 1));

  const remove = find(row, '.remove', HTMLButtonElement);
  remove.setAttribute('aria-label', `Remove ${product.name} from the cart`);
  remove.dataset['testid'] = `remove-${product.id}`;
  remove.addEventListener('click', () => onChange(product, -Number(row.dataset['quantity'])));
  return row;
}
