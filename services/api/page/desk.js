// What lies on the annotator's desk, as a value, and the moves on it, as pure functions: desk in, desk out.
//
// A card is {task, shownAt, revision, draft}: the task as the service sent it, when it was first really visible
// (0: not yet), the revision that its next answer will have, and the answer as it stands.

export const EMPTY_DRAFT = { choice: null, strength: null, marks: {}, flags: [], reason: "" };
export const EMPTY_DESK = { current: null, ahead: [], last: null };

const LEAST_LEASE_MS = 30_000; // a task is not put before anybody with less time than this

export const isRevision = (desk) => desk.current !== null && desk.current.revision > 1;
export const tasksOf = (desk) => [desk.current, ...desk.ahead, desk.last].filter(Boolean).map((card) => card.task.task);
export const canUndo = (desk, now) => desk.last !== null && !isRevision(desk) && now < desk.last.task.lease_until;

export function arrive(desk, task) {
  if (tasksOf(desk).includes(task.task)) return desk;
  const card = { task, shownAt: 0, revision: task.revision ?? 1, draft: EMPTY_DRAFT };
  return desk.current ? { ...desk, ahead: [...desk.ahead, card] } : { ...desk, current: card };
}

export function shown(desk, now) {
  if (!desk.current || desk.current.shownAt) return desk;
  return { ...desk, current: { ...desk.current, shownAt: now } };
}

export function draft(desk, change) {
  return { ...desk, current: { ...desk.current, draft: { ...desk.current.draft, ...change } } };
}

export function toggleFlag(desk, flag) {
  const { flags } = desk.current.draft;
  return draft(desk, { flags: flags.includes(flag) ? flags.filter((other) => other !== flag) : [...flags, flag] });
}

// The current card is answered: it can be undone, and the next one comes up.
export function answered(desk, now) {
  return next({ ...desk, last: { ...desk.current, revision: desk.current.revision + 1 } }, now);
}

// A revision is put away: the answer that was given stays, and can be brought back again.
export const kept = (desk, now) => next({ ...desk, last: desk.current }, now);

// The current card is put away unanswered.
export const next = (desk, now) => {
  const [current = null, ...ahead] = desk.ahead.filter((card) => isFresh(card, now));
  return { ...desk, current, ahead };
};

// A card that was already before the annotator comes back however little time is left.
const isFresh = (card, now) => now < card.task.lease_until - (card.shownAt ? 0 : LEAST_LEASE_MS);

export function undone(desk, now) {
  if (!canUndo(desk, now)) return desk;
  const ahead = desk.current ? [desk.current, ...desk.ahead] : desk.ahead;
  return { current: desk.last, ahead, last: null };
}

// The answer as POST /v1/judgments takes it; what was not said is not in it.
export function judgment(card, now) {
  const { choice, strength, marks, flags, reason } = card.draft;
  return {
    task: card.task.task,
    choice,
    ...(strength && choice !== "tie" && { strength }),
    ...(Object.keys(marks).length > 0 && { marks }),
    ...(flags.length > 0 && { flags }),
    ...(reason.trim() && { reason: reason.trim() }),
    shown_at: card.shownAt || now,
    answered_at: now,
    revision: card.revision,
  };
}

// After a reload: what is still this annotator's to answer.
export function restored(desk, now) {
  const live = (card) => card && now < card.task.lease_until;
  const ahead = (desk.ahead ?? []).filter(live);
  const current = live(desk.current) ? desk.current : (ahead.shift() ?? null);
  return { current, ahead, last: live(desk.last) ? desk.last : null };
}
