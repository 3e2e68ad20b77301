/** A product, looked at closely. */
import { find, write } from './element.ts';
import { drawBag } from './grain-art.ts';
import { formatCents, type Product } from './products.ts';

export interface ProductDialogOptions {
  readonly onAdd: (product: Product) => void;
}

export interface ProductDialog {
  show(product: Product): void;
}

export function createProductDialog(
  dialog: HTMLDialogElement,
  { onAdd }: ProductDialogOptions,
): ProductDialog {
  const part = (name: string): HTMLElement => find(dialog, `[data-product="${name}"]`, HTMLElement);
  let shown: Product | undefined;

  part('close').addEventListener('click', () => dialog.close());
  part('add').addEventListener('click', () => {
    if (shown !== undefined) onAdd(shown);
    dialog.close();
  });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close(); // The backdrop belongs to the dialog itself.
  });

  return {
    show(product) {
      shown = product;
      dialog.dataset['grain'] = product.grain;
      part('picture').innerHTML = drawBag(product.grain);
      write(part('name'), product.name);
      write(part('grain'), product.line);
      write(part('story'), product.story);
      write(part('price'), formatCents(product.priceCents));
      part('facts').replaceChildren(...product.facts.map(([term, value]) => createFact(term, value)));
      dialog.showModal();
    },
  };
}

function createFact(term: string, value: string): HTMLElement {
  const row = document.createElement('div');
  const name = document.createElement('dt');
  const fact = document.createElement('dd');
  name.textContent = term;
  fact.textContent = value;
  row.append(name, fact);
  return row;
}
