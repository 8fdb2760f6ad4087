// One annotator at work: what each key and button does to the desk, and what the service's answers do to it.

import * as desks from "./desk.js";
import { createGuideline, openDialog } from "./dialogs.js";
import { createOutbox } from "./outbox.js";
import { readDesk, saveDesk } from "./session.js";
import { createSupply } from "./supply.js";
import { createSyncStatus } from "./sync.js";
import * as view from "./view.js";

const DETAILS = "prefloop.details";
const LOOK_AGAIN_MS = 5_000;
// A second press that was meant for the task before must not answer one that nobody has seen.
const SETTLE_MS = 300;
const SKIP_REASON_LIMIT = 1_000; // characters, of POST /v1/tasks/{task}/skip
const FLAGS = ["both_bad", "unsure", "broken", "critical"];

const ONE_MOMENT = { icon: "loop", title: "One moment", text: "Looking for your next task." };
const ONE_MOMENT_MS = 300;
const NOT_KEPT = "This browser keeps nothing for later (its storage is full or turned off). Leave this tab open until all is sent.";
const TIME_IS_OVER = "The time for this task is over. You can still answer, though it may come too late to count, or skip it for another.";
const FIRST_WORDS = matchMedia("(hover: hover)").matches
  ? "Read both, then answer below, or with the keys 1, 2 and 3. Undo (U) brings the last one back."
  : "Read both, then answer below. Undo brings the last one back."; // fingers have no keys
const QUALIFYING = "A short round of tasks whose answers are known comes first; the others follow by themselves.";

const isQualifying = (me) => (me.qualification ?? []).some(({ outcome }) => outcome === "open");

export class Workplace {
  #desk;
  #today;
  #details = localStorage.getItem(DETAILS) === "open";
  #onScreen = null; // the task that is shown
  #fresh = 0; // the timer of a task that has just come up; 0 when it may be answered
  #closing = new AbortController();
  #clock;
  #outbox;
  #supply;
  #sync;
  #guideline;
  #acts;
  #api;

  // `me` is the answer of GET /v1/me; `leave(why)` ends the work and asks for a key.
  constructor({ api, me, clock, leave }) {
    this.#api = api;
    this.#clock = clock;
    this.#outbox = this.#createOutbox(api, me.annotator);
    this.#sync = createSyncStatus(this.#outbox);
    this.#supply = this.#createSupply(api, leave);
    this.#guideline = createGuideline(api);
    this.#acts = this.#createActs();
    this.#desk = desks.restored(readDesk(), clock.now());
    this.#today = me.judged_today + this.#outbox.firstAnswers;
    this.#open(me);
  }

  #createOutbox(api, annotator) {
    return createOutbox({
      owner: annotator || "nobody",
      send: (entry) => (entry.kind === "skip" ? api.skip(entry.task, entry.reason) : api.judge(entry.judgment)),
      onSent: (entry, answer) => this.#acknowledged(entry, answer),
      onRefused: (entry, error) => this.#refused(entry, error),
      onBlocked: (error) => this.#supply.blocked(error),
      onChange: () => this.#sync.show(),
    });
  }

  #createSupply(api, leave) {
    return createSupply({
      api,
      campaign: () => view.element("campaign").value || undefined,
      wanted: () => !this.#desk.current || this.#desk.ahead.length === 0,
      inHand: () => [...desks.tasksOf(this.#desk), ...this.#outbox.tasks],
      arrived: (task) => this.#move(desks.arrive(this.#desk, task)),
      resting: (state) => this.#desk.current || this.#rest(state),
      suspended: (state) => this.#sendHome(state),
      welcome: () => this.#outbox.drain(),
      leave,
    });
  }

  #open(me) {
    view.showCampaigns(me.campaigns ?? []);
    view.showProgress(this.#today);
    this.#listen();
    if (this.#desk.current) this.#show();
    else this.#rest(ONE_MOMENT);
    const words = [me.judged_total === 0 && FIRST_WORDS, isQualifying(me) && QUALIFYING].filter(Boolean).join(" ");
    if (words) view.notice(words);
    this.#guideline.load(me.campaigns?.[0] ?? "default");
    this.#outbox.drain();
    this.#supply.fill();
  }

  #listen() {
    const on = (target, name, listener) => target.addEventListener(name, listener, { signal: this.#closing.signal });
    const details = view.element("details");
    on(details, "change", ({ target }) => this.#desk.current && this.#changed(target));
    on(details, "submit", (event) => event.preventDefault());
    on(view.element("appeal"), "submit", (event) => (event.preventDefault(), this.#appeal()));
    on(view.element("reason"), "input", ({ target }) => this.#wrote(target.value));
    on(view.element("campaign"), "change", () => this.#leaveTask(desks.next({ ...this.#desk, ahead: [] }, this.#clock.now())));
    on(window, "pagehide", () => saveDesk(this.#desk));
    on(window, "offline", () => this.#sync.show());
    on(window, "online", () => this.#goOn());
    on(document, "visibilitychange", () => document.visibilityState === "visible" && this.#goOn());
    const ticking = setInterval(() => this.#lookAgain(), LOOK_AGAIN_MS);
    this.#closing.signal.addEventListener("abort", () => clearInterval(ticking));
  }

  close() {
    this.#closing.abort();
    this.#outbox.close();
    this.#supply.close();
    view.notice("");
  }

  #goOn() {
    this.#outbox.drain();
    this.#supply.fill();
  }

  // ------------------------------------------------------------ showing

  #move(desk) {
    this.#desk = desk;
    saveDesk(desk);
    this.#show();
  }

  #show() {
    if (!this.#desk.current) return this.#awaitTask();
    const isNew = this.#desk.current.task !== this.#onScreen;
    if (isNew) this.#present(this.#desk.current.task);
    view.showDraft(this.#desk, { details: this.#details, now: this.#clock.now() });
    if (isNew) this.#focusTask();
  }

  #present(task) {
    this.#onScreen = task;
    this.#startFresh();
    view.showPhase("task");
    view.showTask(task);
    // Frames are drawn only where the page is visible: that, and not its arrival, is when a task is shown.
    requestAnimationFrame(() => (this.#desk = desks.shown(this.#desk, this.#clock.now())));
    this.#guideline.load(task.campaign, task.campaign_version);
  }

  // Usually the next task is a moment away: only a longer wait is worth a word.
  #awaitTask() {
    if (this.#onScreen === null) return;
    this.#onScreen = null;
    setTimeout(() => this.#desk.current || this.#closing.signal.aborted || view.restTitle() || this.#rest(ONE_MOMENT), ONE_MOMENT_MS);
  }

  #startFresh() {
    clearTimeout(this.#fresh);
    view.element("task").dataset.fresh = "";
    this.#fresh = setTimeout(() => {
      this.#fresh = 0;
      delete view.element("task").dataset.fresh;
    }, SETTLE_MS);
  }

  #rest(state) {
    const same = view.restTitle() === state.title;
    this.#onScreen = null;
    view.showRest(state);
    view.showPhase("rest");
    if (!same) view.focusTitle("rest");
  }

  async #appeal() {
    const words = view.element("appeal-words");
    view.element("appeal-error").textContent = "";
    try {
      view.notice((await this.#api.appeal(words.value)).message);
      words.value = "";
      this.#supply.fill();
    } catch (error) {
      view.element("appeal-error").textContent = `${error.message} ${error.mend}`.trim();
    }
  }

  #sendHome(state) {
    this.#move(desks.EMPTY_DESK);
    this.#rest(state);
  }

  // Every few seconds: has a lease ended?
  #lookAgain() {
    this.#show();
    const { current } = this.#desk;
    if (!current || current.told || desks.isRevision(this.#desk) || this.#clock.now() < current.task.lease_until) return;
    this.#desk = { ...this.#desk, current: { ...current, told: true } };
    view.notice(TIME_IS_OVER);
  }

  // ------------------------------------------------------------ answering

  #choose(side) {
    if (this.#details) return this.#markAndGoOn(view.focusedRow(), side);
    if (this.#fresh) return;
    this.#desk = desks.draft(this.#desk, { choice: side });
    this.#answer();
  }

  #answer() {
    const card = this.#desk.current;
    if (!card.draft.choice || this.#fresh) return;
    const judgment = desks.judgment(card, this.#clock.now());
    if (card.revision === 1) this.#count(1);
    view.notice("");
    view.announce(`${view.sideName(judgment.choice)}. ${this.#today} today.`);
    this.#dispatch({ kind: "judgment", task: judgment.task, revision: judgment.revision, judgment });
    this.#leaveTask(desks.answered(this.#desk, this.#clock.now()));
  }

  #skip() {
    if (desks.isRevision(this.#desk) || this.#fresh) return;
    const { task, draft } = this.#desk.current;
    view.announce("Skipped.");
    this.#dispatch({ kind: "skip", task: task.task, reason: draft.reason.trim().slice(0, SKIP_REASON_LIMIT) });
    this.#leaveTask(desks.next(this.#desk, this.#clock.now()));
  }

  #dispatch(entry) {
    if (!this.#outbox.add(entry)) view.notice(NOT_KEPT);
  }

  #leaveTask(desk) {
    this.#move(desk);
    this.#supply.fill();
  }

  #count(change) {
    this.#today += change;
    view.showProgress(this.#today);
  }

  #undo() {
    if (desks.isRevision(this.#desk)) return;
    if (!this.#desk.last) return view.notice("There is nothing to undo.");
    if (!desks.canUndo(this.#desk, this.#clock.now())) return view.notice("The time to change the last answer is over; it stands.");
    this.#move(desks.undone(this.#desk, this.#clock.now()));
    view.announce("The last task is back. Answer again to change it, or press Escape to keep it.");
  }

  #keep() {
    if (desks.isRevision(this.#desk)) this.#leaveTask(desks.kept(this.#desk, this.#clock.now()));
  }

  // ------------------------------------------------------------ what the service said

  #acknowledged(entry, answer) {
    if (entry.kind === "judgment" && answer.counted === false) view.notice(answer.message);
  }

  #refused(entry, error) {
    if (entry.kind === "skip") return; // nothing left to skip is as good as skipped
    if (entry.revision === 1) this.#count(-1);
    const what = entry.revision === 1 ? "An answer was not taken" : "The change was not taken, the answer before it stands";
    view.notice(`${what}: ${error.message}. ${error.mend}`.replaceAll("..", "."));
  }

  // ------------------------------------------------------------ details

  #mark(row, side) {
    const { marks } = this.#desk.current.draft;
    const change = row === "overall" ? { choice: side } : { marks: { ...marks, [row]: side } };
    this.#move(desks.draft(this.#desk, change));
  }

  #markAndGoOn(row, side) {
    this.#mark(row ?? "overall", side);
    const rows = ["overall", ...this.#desk.current.task.criteria.map(({ name }) => name)];
    if (row !== null) view.focusRow(rows[rows.indexOf(row) + 1] ?? row);
  }

  #toggleDetails(open) {
    this.#details = open;
    localStorage.setItem(DETAILS, open ? "open" : "closed");
    this.#show();
    this.#focusTask();
  }

  // With the details open the first row is lit: the next key marks it, and the one after that the next row.
  #focusTask() {
    if (this.#details) view.focusRow("overall");
    else view.focusTitle("task");
  }

  #writeReason() {
    this.#toggleDetails(true);
    view.element("reason").focus();
  }

  #escape() {
    if (document.activeElement === view.element("reason")) return view.focusRow("overall");
    if (desks.isRevision(this.#desk)) return this.#keep();
    if (this.#details) this.#toggleDetails(false);
  }

  #setStrength(strength) {
    const same = this.#desk.current.draft.strength === strength;
    this.#move(desks.draft(this.#desk, { strength: same ? null : strength }));
  }

  // Kept without drawing anything: whoever writes sees what they write.
  #wrote(reason) {
    if (this.#desk.current) this.#desk = desks.draft(this.#desk, { reason });
  }

  #changed(input) {
    const row = input.closest("[data-row]")?.dataset.row;
    if (row) this.#mark(row, input.value);
    else if (input.name === "strength") this.#move(desks.draft(this.#desk, { strength: Number(input.value) }));
    else if (input.type === "checkbox") this.#move(desks.toggleFlag(this.#desk, input.value));
  }

  // ------------------------------------------------------------ keys and buttons

  #createActs() {
    const flag = (name) => [name, () => this.#move(desks.toggleFlag(this.#desk, name))];
    return {
      left: () => this.#choose("left"),
      tie: () => this.#choose("tie"),
      right: () => this.#choose("right"),
      strength: (key) => this.#setStrength(Number(key) - 3),
      skip: () => this.#skip(),
      keep: () => this.#keep(),
      escape: () => this.#escape(),
      details: () => this.#toggleDetails(!this.#details),
      reason: () => this.#writeReason(),
      send: () => this.#details && this.#answer(),
      scroll: (key) => view.scrollResponses(key === "k" ? -1 : 1),
      ...Object.fromEntries(FLAGS.map(flag)),
    };
  }

  perform(act, key) {
    if (act === "guideline") return this.#guideline.open();
    if (act === "help") return openDialog("help");
    if (act === "again") return this.#goOn();
    if (act === "undo") return this.#undo();
    if (this.#desk.current) this.#acts[act]?.(key);
  }
}
