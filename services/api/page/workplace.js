// One annotator at work: the desk, the outbox, the supply of tasks, and what each key and button does to them.

import * as desks from "./desk.js";
import { fillGuideline, noGuideline, openDialog } from "./dialogs.js";
import { createOutbox } from "./outbox.js";
import { createSupply } from "./supply.js";
import * as view from "./view.js";

const DESK = "prefloop.desk";
const DETAILS = "prefloop.details";
const LOOK_AGAIN_MS = 5_000;
// A second press that was meant for the task before must not answer one that nobody has seen.
const SETTLE_MS = 300;

export function openWorkplace({ api, me, clock, leave }) {
  let desk = desks.restored(readDesk(), clock.now());
  let today = me.judged_today;
  let details = localStorage.getItem(DETAILS) === "open";
  let onScreen = null; // the card whose task is shown
  let presentedAt = 0;
  let guideline = "";
  let sent = false;
  const closing = new AbortController();

  const outbox = createOutbox({
    owner: me.annotator || "key",
    send: (entry) => (entry.kind === "skip" ? api.skip(entry.task, entry.reason) : api.judge(entry.judgment)),
    onSent: acknowledged,
    onRefused: refused,
    onBlocked: (error) => supply.blocked(error),
    onChange: showSync,
  });

  const supply = createSupply({
    api,
    campaign: () => view.element("campaign").value || undefined,
    wanted: () => !desk.current || desk.ahead.length === 0,
    inHand: () => [...desks.cardsOf(desk).map((card) => card.task.task), ...outbox.tasks],
    arrived: (task) => move(desks.arrive(desk, task)),
    resting: rest,
    suspended: (state) => ((desk = desks.EMPTY_DESK), save(), rest(state)),
    welcome: () => outbox.drain(),
    leave,
  });

  // ------------------------------------------------------------ showing

  function move(changed) {
    desk = changed;
    save();
    show();
  }

  function show() {
    if (desk.current && desk.current.task !== onScreen?.task) present();
    if (!desk.current) return;
    view.showDraft(desk, { details, now: clock.now() });
    onScreen = desk.current;
  }

  function present() {
    presentedAt = performance.now();
    view.showTask(desk.current.task);
    view.showPhase("task");
    view.element("task-title").focus({ preventScroll: true });
    // Frames are drawn only where the page is visible: that, and not its arrival, is when a task is shown.
    requestAnimationFrame(() => (desk = desks.shown(desk, clock.now())));
    loadGuideline();
  }

  function rest(state) {
    if (desk.current) return;
    const wasResting = document.body.dataset.phase === "rest" && view.element("rest-title").textContent === state.title;
    onScreen = null;
    view.showRest(state);
    view.showPhase("rest");
    if (!wasResting) view.element("rest-title").focus();
  }

  function showSync() {
    const trouble = outbox.waiting > 0 && (outbox.troubled || !navigator.onLine || outbox.waiting > 2);
    if (trouble) sent = true;
    const text = trouble ? `${outbox.waiting} kept here, will be sent` : sent && outbox.waiting === 0 ? "All sent" : "";
    view.showSync(text, trouble);
    if (outbox.waiting === 0 && sent) setTimeout(() => ((sent = false), outbox.waiting || view.showSync("", false)), 4_000);
  }

  // ------------------------------------------------------------ answering

  function choose(side) {
    if (details) return markAndGoOn(view.focusedRow(), side);
    desk = desks.draft(desk, { choice: side });
    return answer();
  }

  function mark(row, side) {
    const { marks } = desk.current.draft;
    move(desks.draft(desk, row === "overall" ? { choice: side } : { marks: { ...marks, [row]: side } }));
  }

  function markAndGoOn(row, side) {
    mark(row ?? "overall", side);
    const rows = ["overall", ...desk.current.task.criteria.map(({ name }) => name)];
    if (row !== null) view.focusRow(rows[rows.indexOf(row) + 1] ?? row);
  }

  function answer() {
    const card = desk.current;
    if (!card.draft.choice || !settled()) return;
    const judgment = desks.judgment(card, clock.now());
    if (card.revision === 1) today += 1;
    view.notice("");
    view.announce(`${view.sideName(card.draft.choice)}. ${today} today.`);
    dispatch({ kind: "judgment", task: judgment.task, revision: judgment.revision, judgment });
    leaveTask(desks.answered(desk, clock.now()));
  }

  function skip() {
    if (desks.isRevision(desk) || !settled()) return;
    const { task, draft } = desk.current;
    view.announce("Skipped.");
    dispatch({ kind: "skip", task: task.task, reason: draft.reason.trim() });
    leaveTask(desks.next(desk, clock.now()));
  }

  const settled = () => performance.now() - presentedAt >= SETTLE_MS;

  function dispatch(entry) {
    if (!outbox.add(entry)) view.notice("This browser keeps nothing for later (its storage is full or turned off). Leave this tab open until all is sent.");
    view.showProgress(today);
  }

  function leaveTask(changed) {
    move(changed);
    supply.fill();
  }

  function undo() {
    if (desks.isRevision(desk)) return;
    if (!desks.canUndo(desk, clock.now())) return view.notice(desk.last ? "The time to change the last answer is over; it stands." : "There is nothing to undo.");
    move(desks.undone(desk, clock.now()));
    view.announce("The last task is back. Answer again to change it, or press Escape to keep it.");
  }

  function keep() {
    if (desks.isRevision(desk)) leaveTask(desks.kept(desk, clock.now()));
  }

  // ------------------------------------------------------------ what the service said

  function acknowledged(entry, reply) {
    if (entry.kind === "judgment" && reply?.counted === false) view.notice(reply.message || "It came late: it is kept, and does not count.");
  }

  function refused(entry, error) {
    if (entry.kind === "skip") return; // nothing left to skip: as good as skipped
    if (entry.revision === 1) view.showProgress((today -= 1));
    const what = entry.revision === 1 ? "An answer was not taken" : "The change was not taken, your first answer stands";
    view.notice(`${what}: ${error.message} ${error.mend}`);
  }

  // ------------------------------------------------------------ details

  function toggleDetails(open = !details) {
    details = open;
    localStorage.setItem(DETAILS, open ? "open" : "closed");
    show();
    if (open) view.focusRow("overall");
    else view.element("task-title").focus({ preventScroll: true });
  }

  function writeReason() {
    toggleDetails(true);
    view.element("reason").focus();
  }

  function escape() {
    if (document.activeElement === view.element("reason")) return view.focusRow("overall");
    return desks.isRevision(desk) ? keep() : details && toggleDetails(false);
  }

  function setStrength(strength) {
    const same = desk.current.draft.strength === strength;
    move(desks.draft(desk, { strength: same ? null : strength }));
  }

  function changed({ target }) {
    if (!desk.current) return;
    const row = target.closest("[data-row]")?.dataset.row;
    if (row) return mark(row, target.value);
    if (target.name === "strength") return move(desks.draft(desk, { strength: Number(target.value) }));
    if (target.type === "checkbox") return move(desks.toggleFlag(desk, target.value));
  }

  // ------------------------------------------------------------ guideline

  async function loadGuideline() {
    const { campaign, campaign_version: version } = desk.current?.task ?? { campaign: me.campaigns?.[0] ?? "default" };
    if (guideline === `${campaign} ${version}`) return;
    try {
      fillGuideline(await api.guideline(campaign));
      guideline = `${campaign} ${version}`;
    } catch (error) {
      if (!guideline) noGuideline(error.message);
    }
  }

  async function openGuideline() {
    if (!guideline) await loadGuideline();
    openDialog("guideline");
  }

  // ------------------------------------------------------------ keys and buttons

  const ANYWHERE = {
    guideline: openGuideline,
    help: () => openDialog("help"),
    again: () => (outbox.drain(), supply.fill()),
  };
  const flag = (name) => () => move(desks.toggleFlag(desk, name));
  const ON_A_TASK = {
    left: () => choose("left"),
    tie: () => choose("tie"),
    right: () => choose("right"),
    strength: (key) => setStrength(Number(key) - 3),
    undo,
    skip,
    keep,
    escape,
    details: () => toggleDetails(),
    reason: writeReason,
    send: () => details && answer(),
    scroll: (key) => view.scrollResponses(key === "k" ? -1 : 1),
    ...Object.fromEntries(["both_bad", "unsure", "broken", "critical"].map((name) => [name, flag(name)])),
  };

  function perform(act, key) {
    if (ANYWHERE[act]) return ANYWHERE[act]();
    if (desk.current) return ON_A_TASK[act]?.(key);
    if (act === "undo") return undo();
  }

  // ------------------------------------------------------------ life

  function save() {
    try {
      sessionStorage.setItem(DESK, JSON.stringify(desk));
    } catch {
      sessionStorage.removeItem(DESK); // too long to keep over a reload: the tasks come again from the service
    }
  }

  function lookAgain() {
    showSync();
    if (!desk.current) return;
    show();
    const over = clock.now() >= desk.current.task.lease_until && !desks.isRevision(desk);
    if (over && !desk.current.told) {
      desk = { ...desk, current: { ...desk.current, told: true } };
      view.notice("The time for this task is over. You can still answer, it may come too late to count; or press S for another.");
    }
  }

  function on(target, name, listener) {
    target.addEventListener(name, listener, { signal: closing.signal });
  }

  view.showCampaigns(me.campaigns ?? []);
  on(view.element("campaign"), "change", () => move(desks.next({ ...desk, ahead: [] }, clock.now())) || supply.fill());
  on(view.element("details"), "change", changed);
  on(view.element("details"), "submit", (event) => event.preventDefault());
  on(view.element("reason"), "input", ({ target }) => desk.current && (desk = desks.draft(desk, { reason: target.value })));
  on(window, "pagehide", save);
  on(window, "offline", showSync);
  on(window, "online", () => (outbox.drain(), supply.fill()));
  const ticking = setInterval(lookAgain, LOOK_AGAIN_MS);

  today += outbox.firstAnswers;
  view.showProgress(today);
  if (desk.current) show();
  else rest({ icon: "loop", title: "One moment", text: "Looking for your next task." });
  outbox.drain();
  loadGuideline();
  supply.fill();

  return {
    perform,
    close() {
      closing.abort();
      clearInterval(ticking);
      outbox.close();
      supply.close();
      view.notice("");
    },
  };
}

function readDesk() {
  return JSON.parse(sessionStorage.getItem(DESK)) ?? desks.EMPTY_DESK;
}
