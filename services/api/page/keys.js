// Which key does what. One table, used by the page and by its list of keys.

const SINGLE_KEYS = "prefloop.single-keys";

export const KEYS = [
  { keys: ["1", "ArrowLeft"], shown: ["1", "←"], act: "left", says: "Left is better" },
  { keys: ["2", "ArrowDown"], shown: ["2", "↓"], act: "tie", says: "Tie" },
  { keys: ["3", "ArrowRight"], shown: ["3", "→"], act: "right", says: "Right is better" },
  { keys: ["4", "5", "6"], shown: ["4", "5", "6"], act: "strength", says: "Slightly, clearly, by far: press it before the answer" },
  { keys: ["u"], shown: ["U"], act: "undo", says: "Undo: bring back the last task" },
  { keys: ["s"], shown: ["S"], act: "skip", says: "Skip this task" },
  { keys: ["d"], shown: ["D"], act: "details", says: "Details: criteria, strength, flags, reason" },
  { keys: ["b"], shown: ["B"], act: "both_bad", says: "Flag: both are bad" },
  { keys: ["n"], shown: ["N"], act: "unsure", says: "Flag: not sure" },
  { keys: ["x"], shown: ["X"], act: "broken", says: "Flag: the task is broken" },
  { keys: ["c"], shown: ["C"], act: "critical", says: "Flag: critical, someone could be harmed" },
  { keys: ["r"], shown: ["R"], act: "reason", says: "Write a reason" },
  { keys: ["j", "k"], shown: ["J", "K"], act: "scroll", says: "Scroll both responses down, up" },
  { keys: ["g"], shown: ["G"], act: "guideline", says: "Guideline" },
  { keys: ["?"], shown: ["?"], act: "help", says: "This list" },
  { keys: ["Enter"], shown: ["Enter"], act: "send", says: "Send, with the details open" },
  { keys: ["Escape"], shown: ["Esc"], act: "escape", says: "Close, or keep the last answer as it was" },
];

const BY_KEY = new Map(KEYS.flatMap(({ keys, act }) => keys.map((key) => [key, act])));
const ALWAYS = new Set(["Enter", "Escape"]); // no single characters: they stay when those are turned off

export const singleKeys = () => localStorage.getItem(SINGLE_KEYS) !== "off";
export const setSingleKeys = (on) => localStorage.setItem(SINGLE_KEYS, on ? "on" : "off");

// Calls perform(act, key) for every key that is meant for the page.
export function listen(perform) {
  document.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = BY_KEY.get(key);
    if (!act || !isMeant(event, key)) return;
    event.preventDefault();
    perform(act, key);
  });
}

function isMeant(event, key) {
  if (document.querySelector("dialog[open]") || event.isComposing) return false;
  const writing = event.target.closest("textarea, input:not([type=radio], [type=checkbox]), select");
  if (writing) return key === "Escape" || (key === "Enter" && event.ctrlKey && writing.tagName === "TEXTAREA");
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat && key !== "j" && key !== "k") return false;
  if (ALWAYS.has(key)) return !(key === "Enter" && event.target.closest("button, a"));
  return singleKeys() && !(key.startsWith("Arrow") && hasOwnUseForArrows(event.target, key));
}

// An arrow that scrolls what has the focus, or moves within a row of choices, must never answer a task by accident.
function hasOwnUseForArrows(target, key) {
  if (target.closest("input")) return true;
  const area = target.closest("[tabindex='0'], pre") ?? document.documentElement;
  const down = key === "ArrowDown";
  return down ? area.scrollHeight > area.clientHeight + 1 : area.scrollWidth > area.clientWidth + 1;
}
