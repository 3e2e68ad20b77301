/** What is on the shelf. */
import type { Grain } from './grain-art.ts';

export interface Product {
  readonly id: string;
  readonly name: string;
  readonly grain: Grain;
  /** One line under the name. */
  readonly line: string;
  readonly story: string;
  readonly facts: readonly (readonly [term: string, value: string])[];
  readonly priceCents: number;
}

export const products: readonly Product[] = [
  {
    id: 'strong-white',
    name: 'Strong White',
    grain: 'wheat',
    line: 'Bread wheat, 1 kg',
    story:
      'A hard spring wheat, sifted twice. It holds its gas and its shape; start here if you are new to bread.',
    facts: [
      ['Protein', '12.8 %'],
      ['Grown at', 'Nether Field'],
      ['Good for', 'Tin loaves, pizza'],
    ],
    priceCents: 340,
  },
  {
    id: 'dark-rye',
    name: 'Dark Rye',
    grain: 'rye',
    line: 'Whole rye, 1 kg',
    story: 'Every part of the grain, ground once and slowly. Sour, dense and damp for a week.',
    facts: [
      ['Protein', '8.9 %'],
      ['Grown at', 'Cold Harbour'],
      ['Good for', 'Sourdough, crispbread'],
    ],
    priceCents: 320,
  },
  {
    id: 'whole-spelt',
    name: 'Whole Spelt',
    grain: 'spelt',
    line: 'Old spelt, 1 kg',
    story:
      'A hulled wheat that nobody has improved. Nutty, a little sweet, and quick to rise: watch it.',
    facts: [
      ['Protein', '13.5 %'],
      ['Grown at', 'Priory Bank'],
      ['Good for', 'Rolls, pancakes'],
    ],
    priceCents: 410,
  },
  {
    id: 'buckwheat',
    name: 'Buckwheat',
    grain: 'buckwheat',
    line: 'Free of gluten, 1 kg',
    story:
      'No wheat at all but a cousin of rhubarb. Grey, earthy, and the only flour for a proper galette.',
    facts: [
      ['Protein', '11.1 %'],
      ['Grown at', 'Long Acre'],
      ['Good for', 'Galettes, blini'],
    ],
    priceCents: 460,
  },
  {
    id: 'rolled-oats',
    name: 'Rolled Oats',
    grain: 'oat',
    line: 'Jumbo flakes, 750 g',
    story: 'Steamed, rolled thick and dried over a beech fire. They stay whole in the pot.',
    facts: [
      ['Protein', '10.7 %'],
      ['Grown at', 'High Meadow'],
      ['Good for', 'Porridge, flapjack'],
    ],
    priceCents: 290,
  },
  {
    id: 'polenta',
    name: 'Coarse Polenta',
    grain: 'maize',
    line: 'Flint maize, 1 kg',
    story:
      'An orange flint maize, cracked rather than ground. Forty minutes of stirring, and worth each one.',
    facts: [
      ['Protein', '7.6 %'],
      ['Grown at', 'South Terrace'],
      ['Good for', 'Polenta, cornbread'],
    ],
    priceCents: 380,
  },
];

const byId = new Map(products.map((product) => [product.id, product]));

export function productById(id: string): Product | undefined {
  return byId.get(id);
}

const money = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' });

export function formatCents(cents: number): string {
  return money.format(cents / 100);
}
