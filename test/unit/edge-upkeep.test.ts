import { describe, expect, it } from 'vitest';
import { Upkeep } from '../../workers/edge/upkeep.ts';

/** Timers fire when told; a step of catching up, or of merging, is done as often as there is left of it. */
function world(left: { catchUp: number; compact: number }) {
  let timers: (() => void)[] = [];
  const errors: unknown[] = [];
  const alarms: number[] = [];
  const done: string[] = [];
  let broken = false;
  const step = (name: 'catchUp' | 'compact') => async () => {
    done.push(name);
    if (broken) throw new Error('broken');
    return left[name]-- > 0;
  };
  const upkeep = new Upkeep({
    storage: { compact: step('compact') },
    catchUp: step('catchUp'),
    setAlarm: async (at) => void alarms.push(at),
    ports: {
      now: () => 0,
      after(_delayMs, callback) {
        timers.push(callback);
        return () => undefined;
      },
    },
    onError: (error) => errors.push(error),
  });
  const fire = async () => {
    const due = timers;
    timers = [];
    for (const timer of due) timer();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    upkeep,
    fire,
    done,
    errors,
    alarms,
    scheduled: () => timers.length,
    break: (is: boolean) => (broken = is),
  };
}

describe('upkeep', () => {
  it('does nothing before a commit, and a step at a time after it until all is done', async () => {
    const { upkeep, fire, done, scheduled } = world({ catchUp: 2, compact: 1 });
    expect(scheduled()).toBe(0);
    upkeep.committed();
    upkeep.committed();
    expect(scheduled()).toBe(1);
    const steps: number[] = [];
    while (scheduled() > 0) {
      await fire();
      steps.push(done.length);
    }
    expect(done).toEqual(['catchUp', 'catchUp', 'catchUp', 'compact', 'catchUp', 'compact']);
    expect(steps).toEqual([1, 2, 4, 6]);
  });

  it('merges segments after the first commit, and then after every 64', async () => {
    const { upkeep, fire, done } = world({ catchUp: 0, compact: 0 });
    const merged: number[] = [];
    for (let commit = 1; commit <= 130; commit++) {
      const before = done.filter((step) => step === 'compact').length;
      upkeep.committed();
      await fire();
      if (done.filter((step) => step === 'compact').length > before) merged.push(commit);
    }
    expect(merged).toEqual([1, 65, 129]);
  });

  it('reports a failure, and starts again with the next commit', async () => {
    const {
      upkeep,
      fire,
      done,
      errors,
      scheduled,
      break: setBroken,
    } = world({ catchUp: 0, compact: 0 });
    setBroken(true);
    upkeep.committed();
    await fire();
    expect(errors).toHaveLength(1);
    expect(scheduled()).toBe(0);
    setBroken(false);
    upkeep.committed();
    await fire();
    expect(done).toEqual(['catchUp', 'catchUp', 'compact']);
  });

  it('sets the alarm before a commit, once until it goes off', async () => {
    const { upkeep, alarms, done } = world({ catchUp: 1, compact: 1 });
    upkeep.committing();
    upkeep.committing();
    expect(alarms).toEqual([10_000]);
    await upkeep.alarm();
    expect(done).toEqual(['catchUp', 'catchUp', 'compact', 'catchUp', 'compact']);
    upkeep.committing();
    expect(alarms).toEqual([10_000, 10_000]);
  });

  it('does on the alarm what a restart has left, with no commit to start it', async () => {
    const { upkeep, alarms, done, scheduled } = world({ catchUp: 3, compact: 0 });
    upkeep.arm();
    expect(alarms).toEqual([0]);
    await upkeep.alarm();
    expect(done.filter((step) => step === 'catchUp')).toHaveLength(4);
    expect(scheduled()).toBe(0);
  });

  it('sets the alarm again after a failure, and where there is more than one alarm does', async () => {
    const broken = world({ catchUp: 0, compact: 0 });
    broken.break(true);
    await broken.upkeep.alarm();
    expect(broken.errors).toHaveLength(1);
    expect(broken.alarms).toEqual([60_000]);
    const long = world({ catchUp: 1000, compact: 0 });
    await long.upkeep.alarm();
    expect(long.alarms).toEqual([0]);
    expect(long.done).toHaveLength(101);
  });
});
