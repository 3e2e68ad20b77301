/** What must not compile of patterns and rules, and what must. */
import { EventFilter, EventRouter, filters, type Pattern } from 'millrace';

export const patterns: readonly Pattern[] = [
  {
    type: ['order.placed', { prefix: 'page.' }],
    data: { total: [{ numeric: ['>', 0, '<=', 5] }], 'a.b': [null, true] },
  },
  {
    'data.cart.id': [{ 'anything-but': { wildcard: ['a*', '*b'] } }],
    $or: [{ source: ['a'] }, { data: { $or: [{ a: [1] }, { b: { c: [{ exists: false }] } }] } }],
  },
  // @ts-expect-error an unknown operator
  { type: [{ prefx: 'a' }] },
  // @ts-expect-error an attribute that there is not
  { correlationId: ['a'] },
  // @ts-expect-error a bare value
  { type: 'order.placed' },
  // @ts-expect-error a comparison that there is not
  { priority: [{ numeric: ['!=', 3] }] },
  // @ts-expect-error an upper bound before the lower one
  { priority: [{ numeric: ['<', 3, '>', 1] }] },
  // @ts-expect-error strings and numbers mixed
  { type: [{ 'anything-but': ['a', 1] }] },
];

const router = new EventRouter({ targets: { log: (event) => event.id } });
router.addRule({ id: 'a', condition: (event) => event.priority > 2, target: 'log' });
// @ts-expect-error a rule without a target
router.addRule({ id: 'b' });
// @ts-expect-error a target is named, so that rules can be saved
router.addRule({ id: 'c', target: () => undefined });
// @ts-expect-error a target that can take no event
router.addTarget('d', { push: () => undefined });

const named = new EventFilter();
named.add(
  'late',
  filters.all(
    filters.byType('order.*'),
    filters.not((event) => event.timestamp > 0),
  ),
);
// @ts-expect-error a filter that answers later
named.add('later', async () => true);
