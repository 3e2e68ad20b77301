/** What a subscription's owner does with it, each in one transaction of its tables. */
import { MillraceError } from '../../../src/errors.ts';
import type { Ports } from '../../../src/ports.ts';
import type { Position } from '../../../src/storage/position.ts';
import { beginReplay, feedLimits, type ReplayRange } from './feed.ts';
import { deadSequences, drop, redrive } from './history.ts';
import { writeCursor } from './intake.ts';
import type { Scheduler } from './scheduler.ts';
import { readSecrets, readSettings, writeSecrets, writeSettings, type Settings } from './settings.ts';
import { liveSecrets, makeSecret, rotate, secretLimits } from './signature.ts';
import { moved, pause, pending, readStanding, resume, writeStanding } from './standing.ts';
import { createTables, readFact, writeFact, type SqlDatabase } from './tables.ts';

export interface Controlled {
  readonly database: SqlDatabase;
  readonly scheduler: Scheduler;
  readonly ports: Ports;
}

export interface Change {
  readonly state?: 'active' | 'paused' | undefined;
  readonly callbackUrl?: string | undefined;
  readonly rotateSecret?: boolean | undefined;
}

/** Dead letters that one call attempts again or gives up. */
const DEAD_LETTERS_A_CALL = 1_000;

/** Makes the subscription, and gives its secret, which is shown nowhere else. */
export function create(
  database: SqlDatabase,
  settings: Settings,
  starts: Readonly<Record<string, Position>>,
  ports: Ports,
): string {
  const secret = makeSecret(ports);
  database.transaction(() => {
    createTables(database);
    writeSettings(database, settings);
    writeSecrets(database, [{ text: secret }]);
    writeStanding(database, pending(ports.now()));
    for (const [source, position] of Object.entries(starts)) writeCursor(database, source, position);
  });
  return secret;
}

/**
 * Does all of it or nothing. Gives the new secret, where one was asked for.
 *
 * @throws MillraceError `limit.exceeded`
 */
export function change(controlled: Controlled, given: Change): string | undefined {
  const { database } = controlled;
  return database.transaction(() => {
    if (given.callbackUrl !== undefined) move(controlled, given.callbackUrl);
    if (given.state === 'paused')
      writeStanding(database, pause(readStanding(database), controlled.ports.now()));
    if (given.state === 'active') goOn(controlled);
    return given.rotateSecret === true ? rotateSecret(controlled) : undefined;
  });
}

/** Gives its id, by itself in a list. @throws MillraceError `limit.exceeded` */
export function replay({ database }: Controlled, ranges: readonly ReplayRange[]): readonly string[] {
  return database.transaction(() => {
    const count = (readFact<number>(database, 'replayed') ?? 0) + 1;
    writeFact(database, 'replayed', count);
    const id = `replay-${count}`;
    if (!beginReplay(database, id, ranges)) throw tooMany('replays', feedLimits.replays);
    return [id];
  });
}

/** Attempts dead letters again: those named, or the oldest ones. How many, and whether there are more. */
export function redriveDead(
  { database, ports }: Controlled,
  sequences?: readonly number[],
): { readonly redriven: number; readonly more: boolean } {
  const chosen = sequences ?? deadSequences(database, DEAD_LETTERS_A_CALL);
  database.transaction(() => {
    for (const sequence of chosen) redrive(database, sequence, ports.now());
  });
  return {
    redriven: chosen.length,
    more: sequences === undefined && deadSequences(database, 1).length > 0,
  };
}

export function dropDead({ database, ports }: Controlled, sequence: number): void {
  database.transaction(() => drop(database, sequence, ports.now()));
}

function move({ database, scheduler, ports }: Controlled, callbackUrl: string): void {
  const settings = readSettings(database);
  if (settings.callbackUrl === callbackUrl) return;
  writeSettings(database, { ...settings, callbackUrl });
  writeStanding(database, moved(readStanding(database), ports.now()));
  scheduler.resume(ports.now());
}

function goOn({ database, scheduler, ports }: Controlled): void {
  const standing = readStanding(database);
  const now = ports.now();
  const next = resume(standing, now);
  if (next === standing) return;
  writeStanding(database, next);
  scheduler.resume(now, standing.state === 'paused' ? now - standing.since : undefined);
}

function rotateSecret({ database, ports }: Controlled): string {
  const secrets = readSecrets(database);
  const live = liveSecrets(secrets, ports.now()).length;
  if (live >= secretLimits.live) throw tooMany('secrets', secretLimits.live);
  const text = makeSecret(ports);
  writeSecrets(database, rotate(secrets, text, ports.now()));
  return text;
}

function tooMany(what: string, maximum: number): MillraceError<'limit.exceeded'> {
  const message = `the subscription has ${maximum} ${what} already: wait until one of them has ended`;
  const details = { limit: `subscription.${what}`, maximum, actual: maximum + 1 };
  return new MillraceError('limit.exceeded', message, details);
}
