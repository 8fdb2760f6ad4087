// The page's composition: key → session → workplace; and the sign-in in between.

import { ApiError, createApi } from "./api.js";
import { createClock } from "./clock.js";
import { prepareDialogs } from "./dialogs.js";
import { listen } from "./keys.js";
import { signIn, signOut, storedKey, takeKeyFromAddress } from "./session.js";
import { applyTheme, switchTheme } from "./theme.js";
import { element, showPhase, showProgress, showRest, showSync } from "./view.js";
import { Workplace } from "./workplace.js";

const TRY_AGAIN_MS = 5_000;
const clock = createClock();
let workplace = null;

async function start() {
  const key = storedKey();
  if (!key) return askForKey();
  const api = createApi(key, clock);
  try {
    const me = await api.me();
    if (key === storedKey()) workplace = new Workplace({ api, me, clock, leave });
  } catch (error) {
    notStarted(error);
  }
}

function notStarted(error) {
  if (!(error instanceof ApiError)) throw error;
  if (error.status === 401) return leave("This key is not known here, or no longer. Paste it again, or ask your lead for a new link.");
  showRest({ icon: "cloud", title: "The service can't be reached", text: `${error.message} This page tries again on its own.` });
  showPhase("rest");
  setTimeout(start, Math.max(TRY_AGAIN_MS, error.retryAfter * 1000));
}

// Back to the sign-in. What is kept here unsent stays, and goes out when the same person signs in again.
function leave(why = "") {
  workplace?.close();
  workplace = null;
  signOut();
  askForKey(why);
}

function askForKey(why = "") {
  element("signin-error").textContent = why;
  element("key").value = "";
  element("key").toggleAttribute("aria-invalid", Boolean(why));
  showProgress(null);
  showSync("", false);
  showPhase("signin");
  element("key").focus();
}

function submitKey(event) {
  event.preventDefault();
  const key = element("key").value.trim();
  if (!key) return askForKey("Paste your key first.");
  signIn(key);
  start();
}

function perform(act, key = "") {
  if (act === "theme") return switchTheme();
  if (act === "signout") return leave();
  workplace?.perform(act, key);
}

function restart() {
  workplace?.close();
  workplace = null;
  start();
}

// Without it nothing could be kept: neither the key nor an answer.
function canKeep() {
  try {
    return localStorage.length >= 0;
  } catch {
    return false;
  }
}

function open() {
  applyTheme();
  takeKeyFromAddress();
  prepareDialogs();
  listen(perform);
  element("signin-form").addEventListener("submit", submitKey);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-act]");
    if (button) perform(button.dataset.act);
  });
  window.addEventListener("hashchange", () => {
    if (!window.location.hash.startsWith("#key=")) return;
    takeKeyFromAddress();
    restart();
  });
  start();
}

if (canKeep()) {
  open();
} else {
  const text = "This page keeps your key and unsent answers in the browser. Allow it to store data for this address, then load the page again.";
  showRest({ icon: "cloud", title: "Storage is turned off", text });
  showPhase("rest");
}
