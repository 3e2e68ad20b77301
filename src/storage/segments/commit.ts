/** Commits to a log of segments: looks up what the plan needs to know, and writes the plan down. */
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
  const asked = new Set(wanted.ids);
  return {
    head,
    isNew: (id) => !asked.has(id),
    stored: (id) => {
      const found = stored.get(id);
      return found && { position: found.position, event: found.stored?.event };
    },
    version: (subject) => versions.get(subject) ?? 0,
    producer: (id) => producers.get(id),
  };
}

function changeByPlan(head: SegmentHead, plan: CommitPlan): LogChange {
  const { events, ordered } = plan;
  const first = head.position + 1;
  const added = packSegments(first, events, (at) => ordered[at]!);
  // The ids that do not rise get entries.
  const unordered = events.flatMap(({ id }, at) => (ordered[at] ? [] : [[id, first + at] as const]));
  return changeOf(
    { ...head, ...plan.head, segments: head.segments + added.length },
    { added, unordered, versions: plan.versions, producers: plan.producers, values: plan.values },
  );
}
