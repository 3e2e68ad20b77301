/** Commits to a log of segments: looks up what the plan needs to know, and writes the plan down. */
import type { Event } from '../../event/event.ts';
import { isUuidV7 } from '../../event/ids.ts';
import { planCommits, wantedFacts, type CommitPlan, type Facts } from '../commit-plan.ts';
import { wait, type Script } from './script.ts';
import { packSegments } from './segment.ts';
import { findByIds } from './find.ts';
import {
  changeOf,
  emptySegmentHead,
  type LogChange,
  type SegmentHead,
  type SegmentTables,
} from './tables.ts';
import type { Commit } from '../storage.ts';

export function* commitSegments(tables: SegmentTables, batch: readonly Commit[]): Script<CommitPlan> {
  const head = (yield* wait(tables.head())) ?? emptySegmentHead;
  const plan = planCommits(batch, yield* lookUp(tables, batch, head));
  const nothing = plan.events.length + plan.producers.size + plan.values.size === 0;
  if (!nothing) yield* wait(tables.write(changeByPlan(head, plan)));
  return plan;
}

function* lookUp(tables: SegmentTables, batch: readonly Commit[], head: SegmentHead): Script<Facts> {
  const wanted = wantedFacts(batch, head);
  const none = new Map<string, never>();
  const versions = wanted.subjects.length > 0 ? yield* wait(tables.versions(wanted.subjects)) : none;
  const producers = wanted.producers.length > 0 ? yield* wait(tables.producers(wanted.producers)) : none;
  const stored = wanted.ids.length > 0 ? yield* findByIds(tables, wanted.ids, head) : none;
  return {
    head,
    stored: (id) => {
      const found = stored.get(id);
      return found && { position: found.position, event: found.stored?.event };
    },
    version: (subject) => versions.get(subject) ?? 0,
    producer: (id) => producers.get(id),
  };
}

function changeByPlan(head: SegmentHead, plan: CommitPlan): LogChange {
  const { ordered, unordered } = sortIds(plan.events, head);
  const added = packSegments(head.position + 1, plan.events, (at) => ordered[at] === 1);
  return changeOf(
    { ...head, ...plan.head, segments: head.segments + added.length },
    { added, unordered, versions: plan.versions, producers: plan.producers, values: plan.values },
  );
}

/** An id is ordered when it is a UUIDv7 greater than all that were stored before it; the others get entries. */
function sortIds(events: readonly Event[], head: SegmentHead) {
  const ordered = new Uint8Array(events.length);
  const unordered: [id: string, position: number][] = [];
  let { maxId } = head;
  for (const [i, { id }] of events.entries()) {
    if (id > maxId && isUuidV7(id)) {
      ordered[i] = 1;
      maxId = id;
    } else unordered.push([id, head.position + 1 + i]);
  }
  return { ordered, unordered };
}
