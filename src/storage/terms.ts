/** A term is what an event can be looked up by: its type, correlation or subject, each in its own name space. */
import type { Event } from '../event/event.ts';
import type { Query } from './storage.ts';

export const termOfType = (type: string): string => `t${type}`;
export const termOfCorrelation = (correlationId: string): string => `c${correlationId}`;
export const termOfSubject = (subject: string): string => `s${subject}`;

export function termsOfEvent(event: Event): readonly string[] {
  const terms = [termOfType(event.type)];
  if (event.correlationId !== undefined) terms.push(termOfCorrelation(event.correlationId));
  if (event.subject !== undefined) terms.push(termOfSubject(event.subject));
  return terms;
}

/**
 * The terms to look a query's candidates up by: any of them must hold, and they are of the rarest kind that the query
 * names. Empty where it names none, so that every event is a candidate.
 */
export function termsOfQuery(query: Query): readonly string[] {
  if (query.subject !== undefined) return [termOfSubject(query.subject)];
  if (query.correlationId !== undefined) return [termOfCorrelation(query.correlationId)];
  return [...new Set(query.types ?? [])].map(termOfType);
}
