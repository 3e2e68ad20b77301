/**
 * The cart is nothing but its events, summed up: added less removed. So it comes back after a reload, offline too,
 * from the log on this device.
 */
import { productById, type Product } from './products.ts';

export interface CartLine {
  readonly product: Product;
  readonly quantity: number;
}

/** What the cart needs of an event. */
export interface CartEvent {
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
}

export class Cart {
  readonly #quantities = new Map<string, number>();
  readonly #applied = new Set<string>();

  /** Applies an event, once: an event that comes again, from the log, changes nothing. */
  apply(event: CartEvent): void {
    const sign = event.type === 'product.added' ? 1 : event.type === 'product.removed' ? -1 : 0;
    if (sign === 0 || this.#applied.has(event.id)) return;
    this.#applied.add(event.id);
    const { productId, quantity } = event.data as { productId: string; quantity: number };
    this.#quantities.set(productId, this.quantity(productId) + sign * quantity);
  }

  clear(): void {
    this.#quantities.clear();
    this.#applied.clear();
  }

  /** Whether nothing was ever put in. */
  isUntouched(): boolean {
    return this.#applied.size === 0;
  }

  quantity(productId: string): number {
    return this.#quantities.get(productId) ?? 0;
  }

  lines(): CartLine[] {
    return [...this.#quantities].flatMap(([id, quantity]) => {
      const product = productById(id);
      return product === undefined || quantity <= 0 ? [] : [{ product, quantity }];
    });
  }

  count(): number {
    return this.lines().reduce((sum, line) => sum + line.quantity, 0);
  }

  totalCents(): number {
    return this.lines().reduce((sum, line) => sum + line.quantity * line.product.priceCents, 0);
  }
}
