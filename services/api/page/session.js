// Who is signed in here. The personal link carries the key after the #, which no server and no log ever sees.

import { EMPTY_DESK } from "./desk.js";

const KEY = "prefloop.key";

// Takes the key out of the address at once, so that it stays in no history, bookmark or screenshot.
export function takeKeyFromAddress(place = window.location, record = window.history) {
  const key = new URLSearchParams(place.hash.slice(1)).get("key");
  if (key === null) return;
  record.replaceState(null, "", place.pathname + place.search);
  signIn(key);
}

export const storedKey = () => localStorage.getItem(KEY);

export function signIn(key) {
  if (storedKey() !== key.trim()) sessionStorage.clear(); // the tasks of whoever was here before
  localStorage.setItem(KEY, key.trim());
}

export function signOut() {
  localStorage.removeItem(KEY);
  sessionStorage.clear();
}

// The desk over a reload: for this tab, until it is closed.
const DESK = "prefloop.desk";

export const readDesk = () => JSON.parse(sessionStorage.getItem(DESK)) ?? EMPTY_DESK;

export function saveDesk(desk) {
  try {
    sessionStorage.setItem(DESK, JSON.stringify(desk));
  } catch {
    sessionStorage.removeItem(DESK); // too long for it: after a reload the service gives the tasks again
  }
}
