// The desk on the screen. Reads state, writes the document, decides nothing.

import { canUndo, isRevision } from "./desk.js";

export const element = (id) => document.getElementById(id);

const SIDES = ["left", "tie", "right"];
const SIDE_NAMES = { left: "Left", tie: "Tie", right: "Right" };
const STRENGTHS = { 1: "slightly", 2: "clearly", 3: "by far" };
const FLAGS = { both_bad: "both bad", unsure: "not sure", broken: "broken", critical: "critical" };
const ROLES = { user: "User", assistant: "Assistant", system: "System", tool: "Tool" };

export function showPhase(phase) {
  document.body.dataset.phase = phase;
  for (const part of ["signin", "rest", "task"]) element(part).hidden = part !== phase;
  element("bar").hidden = phase !== "task";
  element("tools").hidden = phase === "signin";
}

// The title of the resting state on the screen; "" where there is none.
export const restTitle = () => (document.body.dataset.phase === "rest" ? element("rest-title").textContent : "");

export const focusTitle = (part) => element(`${part}-title`).focus({ preventScroll: true });

export function showRest({ icon, title, text, again = "", appeal = false }) {
  element("rest-icon").setAttribute("href", `#i-${icon}`);
  element("rest-title").textContent = title;
  element("rest-text").textContent = text;
  element("rest-again").textContent = again;
  element("rest-again").hidden = !again;
  element("appeal").hidden = !appeal;
}

// A task that was not on the screen before.
export function showTask(task) {
  element("prompt-title").textContent = task.prompt.length > 1 ? "Conversation" : "Prompt";
  element("turns").replaceChildren(...task.prompt.map((turn) => turnOf(turn, task.prompt.length > 1)));
  for (const side of ["left", "right"]) showResponse(element(side), task[side]);
  element("rows").replaceChildren(
    row("overall", "Which response is better?"),
    ...task.criteria.map(({ name, question }) => row(name, question)),
  );
  for (const area of [element("prompt"), element("left"), element("right")]) area.scrollTop = 0;
  window.scrollTo(0, 0);
  if (task.prompt.length > 1) element("prompt").scrollTop = element("prompt").scrollHeight; // the last turn is the question
}

function showResponse(area, { text, html }) {
  area.innerHTML = html; // sanitised by the service; the page's policy runs nothing inline
  if (!text.trim()) area.replaceChildren(made("p", "nothing", "This response is empty."));
}

function turnOf({ role, html }, named) {
  const turn = made("div", `turn turn-${role}`);
  if (named) turn.append(made("h3", "", ROLES[role] ?? role));
  const text = Object.assign(made("div", "text"), { dir: "auto" });
  text.innerHTML = html;
  turn.append(text);
  return turn;
}

function row(name, question) {
  const field = made("fieldset", "row segments");
  field.dataset.row = name;
  field.append(made("legend", "", question), ...SIDES.map((side) => option(name, side)));
  return field;
}

function option(name, side) {
  const label = made("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name: `row-${name}`, value: side });
  label.append(input, made("span", "", SIDE_NAMES[side]));
  return label;
}

function made(tag, className = "", text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

// What may change while a task is on the screen.
export function showDraft(desk, { details, now }) {
  const { draft } = desk.current;
  for (const input of element("rows").querySelectorAll("input")) {
    const name = input.closest("fieldset").dataset.row;
    input.checked = input.value === (name === "overall" ? draft.choice : draft.marks[name]);
  }
  for (const input of element("strength").querySelectorAll("input")) input.checked = Number(input.value) === draft.strength;
  for (const input of element("flags").querySelectorAll("input")) input.checked = draft.flags.includes(input.value);
  if (element("reason").value !== draft.reason) element("reason").value = draft.reason;
  showBar(desk, { details, now });
}

function showBar(desk, { details, now }) {
  const revising = isRevision(desk);
  element("details").hidden = !details;
  element("details-toggle").setAttribute("aria-expanded", String(details));
  element("send").hidden = !details;
  element("send").disabled = !desk.current.draft.choice;
  element("keep").hidden = !revising;
  element("undo").hidden = element("skip").hidden = revising;
  element("undo").disabled = !canUndo(desk, now);
  setText(element("armed"), revising ? revisionText(desk.current.draft) : details ? "" : spoken(desk.current.draft));
  for (const side of SIDES) showChoice(side, details || revising ? desk.current.draft.choice : null);
}

function showChoice(side, choice) {
  document.querySelector(`.choice[data-act=${side}]`).setAttribute("aria-pressed", String(side === choice));
}

const revisionText = (draft) => `You said: ${[SIDE_NAMES[draft.choice], spoken(draft)].filter(Boolean).join(", ")}. Answer again to change it.`;

// What goes along with the answer, in words.
export function spoken({ strength, flags, reason, marks }) {
  const parts = [STRENGTHS[strength], ...flags.map((flag) => FLAGS[flag])];
  if (Object.keys(marks).length > 0) parts.push("criteria marked");
  if (reason.trim()) parts.push("with a reason");
  return parts.filter(Boolean).join(", ");
}

export const sideName = (choice) => SIDE_NAMES[choice];

export function showProgress(today) {
  element("progress").hidden = today === null;
  element("progress").replaceChildren(made("strong", "", String(today)), " today");
}

export function showSync(text, trouble) {
  setText(element("sync"), text);
  element("sync").classList.toggle("trouble", trouble);
}

// A live region that is set to the same words again is read again: so only where they change.
function setText(area, text) {
  if (area.textContent !== text) area.textContent = text;
}

export function announce(text) {
  element("announcer").textContent = text;
}

let noticeTimer = 0;

// Stays until the next one or until it was there long enough to be read twice.
export function notice(text) {
  clearTimeout(noticeTimer);
  element("notices").replaceChildren(...(text ? [made("p", "", text)] : []));
  if (text) noticeTimer = setTimeout(() => notice(""), Math.max(8_000, text.length * 120));
}

export function focusRow(name) {
  const field = element("rows").querySelector(`[data-row="${CSS.escape(name)}"]`);
  (field?.querySelector("input:checked") ?? field?.querySelector("input"))?.focus();
}

export const focusedRow = () => document.activeElement?.closest("[data-row]")?.dataset.row ?? null;

export function scrollResponses(direction) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const by = { top: direction * 160, behavior: calm ? "auto" : "smooth" };
  const areas = [element("left"), element("right")].filter((area) => area.scrollHeight > area.clientHeight + 1);
  if (areas.length === 0) window.scrollBy(by);
  for (const area of areas) area.scrollBy(by);
}

export function showCampaigns(names) {
  element("campaign-field").hidden = names.length < 2;
  element("campaign").replaceChildren(new Option("All", ""), ...names.map((name) => new Option(name, name)));
}
