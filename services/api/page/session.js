// Who is signed in here. The personal link carries the key after the #, which no server and no log ever sees.

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
