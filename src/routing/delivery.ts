/** Gives one event to one target, within the rule's time. */
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import type { Ports } from '../ports.ts';
import type { MaybePromise } from '../storage/storage.ts';
import type { RoutingRule } from './routing-rule.ts';
import type { TargetFunction } from './target.ts';

/** What became of the event at one target. */
export type RouteDelivery =
  | { readonly rule: RoutingRule; readonly target: string; readonly ok: true }
  | { readonly rule: RoutingRule; readonly target: string; readonly ok: false; readonly error: unknown };

export interface RouteDeliveryOptions {
  readonly ports: Pick<Ports, 'after'>;
  readonly hops: number;
}

/** Never throws nor rejects. At once where the target answers at once; a promise is waited for as long as the rule says. */
export function deliver(
  target: TargetFunction,
  event: Event,
  rule: RoutingRule,
  { ports, hops }: RouteDeliveryOptions,
): MaybePromise<RouteDelivery> {
  const controller = new AbortController();
  try {
    const answer = target(event, { rule, signal: controller.signal, hops });
    if (!isPromise(answer)) return delivered(rule);
    return settled(answer, rule, controller, ports);
  } catch (error) {
    return failed(rule, error);
  }
}

export function failed(rule: RoutingRule, error: unknown): RouteDelivery {
  return { rule, target: rule.target, ok: false, error };
}

function delivered(rule: RoutingRule): RouteDelivery {
  return { rule, target: rule.target, ok: true };
}

function settled(
  answer: PromiseLike<unknown>,
  rule: RoutingRule,
  controller: AbortController,
  ports: Pick<Ports, 'after'>,
): Promise<RouteDelivery> {
  return new Promise((resolve) => {
    // The first to call decides: what the target says later is no news.
    const { timeoutMs } = rule;
    const undo =
      timeoutMs === undefined
        ? undefined
        : ports.after(timeoutMs, () => {
            const error = timedOut(rule, timeoutMs);
            controller.abort(error);
            resolve(failed(rule, error));
          });
    answer.then(
      () => {
        undo?.();
        resolve(delivered(rule));
      },
      (error: unknown) => {
        undo?.();
        resolve(failed(rule, error));
      },
    );
  });
}

function timedOut({ id, target }: RoutingRule, timeoutMs: number): MillraceError<'timeout'> {
  const message = `the target ${JSON.stringify(target)} did not end within the ${timeoutMs} ms of rule ${JSON.stringify(id)}`;
  return new MillraceError('timeout', message, { what: `target ${target}`, timeoutMs });
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
  );
}
