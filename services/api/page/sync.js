// The calm word in the corner: how many answers are kept here, and that all went out in the end.

import { showSync } from "./view.js";

const MANY = 3; // that many on their way is no longer the usual moment of sending
const THANKS_MS = 4_000;

export function createSyncStatus(outbox) {
  let troubled = false;
  let timer = 0;

  function show() {
    const { waiting } = outbox;
    if (waiting > 0 && (outbox.troubled || !navigator.onLine || waiting >= MANY)) troubled = true;
    if (waiting > 0) return troubled && showSync(`${waiting} kept here, will be sent`, true);
    showSync(troubled ? "All sent" : "", false);
    clearTimeout(timer);
    if (troubled) timer = setTimeout(show, THANKS_MS);
    troubled = false;
  }

  return { show };
}
