/** A shop's rules as its tenants would write them, each also in the words of the peers; and its events of 380 bytes. */
import type { RuleProperties } from 'json-rules-engine';
import type { Event } from '../../src/event/event.ts';
import { decodeLine } from '../../src/event/wire.ts';
import type { Pattern } from '../../src/routing/pattern.ts';
import type { RoutingRule } from '../../src/routing/routing-rule.ts';

export interface BenchRule {
  readonly rule: RoutingRule & { readonly condition: Pattern };
  /** For mingo and sift. */
  readonly mongo: Record<string, unknown>;
  readonly engine: RuleProperties;
}

const TYPES = 20;
const CUSTOMERS = 2000;
const SHELVES = 2000;
const TOTAL = 1_000_000;
const BYTES = 380;

/** Always the same numbers: a bench is to be repeatable. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) % below;
  };
}

export function makeRules(count: number, prefix = 'rule'): readonly BenchRule[] {
  const pick = numbers(prefix.length);
  return Array.from({ length: count }, (_, i) => makeRule(`${prefix}-${i}`, i % 4, pick));
}

function makeRule(id: string, kind: number, pick: (below: number) => number): BenchRule {
  const type = `shop.action-${pick(TYPES)}`;
  if (kind === 0) return exact(id, type, `c-${pick(CUSTOMERS)}`);
  if (kind === 1) return prefixed(id, type, `shelf-${pick(SHELVES)}-${pick(10)}`);
  if (kind === 2) return inRange(id, type, pick(TOTAL), 10 + pick(200));
  return exactAndNumeric(id, type, `c-${pick(CUSTOMERS)}`, pick(TOTAL));
}

function exact(id: string, type: string, customer: string): BenchRule {
  return {
    rule: { id, condition: { type: [type], data: { customer: [customer] } }, target: 't' },
    mongo: { type, 'data.customer': customer },
    engine: engineRule([equal('type', type), equal('data', customer, '$.customer')]),
  };
}

function prefixed(id: string, type: string, prefix: string): BenchRule {
  const regex = new RegExp(`^${prefix}`);
  const starts = { fact: 'data', path: '$.sku', operator: 'startsWith', value: prefix };
  return {
    rule: { id, condition: { type: [type], data: { sku: [{ prefix }] } }, target: 't' },
    mongo: { type, 'data.sku': regex },
    engine: engineRule([equal('type', type), starts]),
  };
}

function inRange(id: string, type: string, from: number, width: number): BenchRule {
  const range = { numeric: ['>=', from, '<', from + width] } as const;
  const bound = (operator: string, value: number) => ({
    fact: 'data',
    path: '$.total',
    operator,
    value,
  });
  const bounds = [bound('greaterThanInclusive', from), bound('lessThan', from + width)];
  return {
    rule: { id, condition: { type: [type], data: { total: [range] } }, target: 't' },
    mongo: { type, 'data.total': { $gte: from, $lt: from + width } },
    engine: engineRule([equal('type', type), ...bounds]),
  };
}

function exactAndNumeric(id: string, type: string, customer: string, above: number): BenchRule {
  const more = { fact: 'data', path: '$.total', operator: 'greaterThan', value: above };
  const condition: Pattern = {
    type: [type],
    data: { customer: [customer], total: [{ numeric: ['>', above] }] },
  };
  return {
    rule: { id, condition, target: 't' },
    mongo: { type, 'data.customer': customer, 'data.total': { $gt: above } },
    engine: engineRule([equal('type', type), equal('data', customer, '$.customer'), more]),
  };
}

interface EngineCondition {
  readonly fact: string;
  readonly operator: string;
  readonly value: unknown;
  readonly path?: string;
}

function equal(fact: string, value: string, path?: string): EngineCondition {
  return { fact, operator: 'equal', value, ...(path && { path }) };
}

function engineRule(all: EngineCondition[]): RuleProperties {
  return { conditions: { all: all as never }, event: { type: 't' } };
}

/** Parsed from lines, as they come from a log or the net. Their customers, shelves and totals are those of the rules. */
export function makeEvents(count: number): readonly Event[] {
  const pick = numbers(99);
  return Array.from({ length: count }, (_, i) => decodeLine(makeLine(i, pick)));
}

function makeLine(i: number, pick: (below: number) => number): string {
  const wire = {
    id: `0194b5a0-0000-7000-8000-${String(i).padStart(12, '0')}`,
    type: `shop.action-${pick(TYPES)}`,
    data: {
      customer: `c-${pick(CUSTOMERS)}`,
      sku: `shelf-${pick(SHELVES)}-${pick(10)}${pick(10)}`,
      total: pick(TOTAL),
      currency: 'CHF',
      country: ['CH', 'AT', 'DE'][pick(3)],
      count: pick(9) + 1,
      page: '/flour/stone-ground',
      title: 'Stone-ground flour, 1 kg',
      note: '',
    },
    timestamp: '2026-01-31T09:30:00.000Z',
    source: 'shop.web',
    priority: 2,
    correlation_id: `session-${pick(9999)}`,
  };
  const missing = BYTES - JSON.stringify(wire).length;
  return JSON.stringify({ ...wire, data: { ...wire.data, note: 'n'.repeat(Math.max(0, missing)) } });
}
