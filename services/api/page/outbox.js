// What was answered and is not yet acknowledged. Kept in the browser before it is sent, sent in order, and removed
// only when the service has it (or refuses it for good). Sending twice is harmless: the service knows it by its id.

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

// send(entry) resolves when acknowledged or throws an ApiError; onBlocked(error) resolves to whether this person may send
// nothing at all for now, so that everything waits. Entries are {kind: "judgment" | "skip", task, ...}.
export function createOutbox({ owner, send, onSent, onRefused, onBlocked, onChange, storage = localStorage }) {
  const prefix = `prefloop.outbox.${owner}.`;
  const entries = stored(storage, prefix);
  let failures = 0;
  let draining = false;
  let timer = 0;
  let closed = false;

  function add(entry) {
    const id = `${prefix}${Date.now().toString(36).padStart(9, "0")}.${sequence()}`;
    entries.push({ id, entry });
    const kept = keep(storage, id, entry);
    onChange();
    drain();
    return kept;
  }

  async function drain() {
    clearTimeout(timer);
    if (draining || closed) return;
    draining = true;
    while (entries.length > 0 && !closed && (await sendFirst()));
    draining = false;
  }

  // True where the next entry may go.
  async function sendFirst() {
    const { id, entry } = entries[0];
    try {
      const answer = await send(entry);
      settle(id);
      onSent(entry, answer);
      return true;
    } catch (error) {
      return failed(id, entry, error);
    }
  }

  async function failed(id, entry, error) {
    if (error.status === 401 || error.status === 403) {
      if (closed || (await onBlocked(error))) return false;
    }
    if (!error.passing) {
      settle(id);
      onRefused(entry, error);
      return true;
    }
    failures += 1;
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1)) * (0.75 + Math.random() / 2);
    timer = setTimeout(drain, Math.max(wait, error.retryAfter * 1000));
    onChange();
    return false;
  }

  function settle(id) {
    entries.shift();
    storage.removeItem(id);
    failures = 0;
    onChange();
  }

  return {
    add,
    drain,
    close() {
      closed = true;
      clearTimeout(timer);
    },
    get waiting() {
      return entries.length;
    },
    get troubled() {
      return failures > 0;
    },
    get tasks() {
      return entries.map(({ entry }) => entry.task);
    },
    get firstAnswers() {
      return entries.filter(({ entry }) => entry.kind === "judgment" && entry.revision === 1).length;
    },
  };
}

let counter = 0;
function sequence() {
  counter += 1;
  return counter.toString(36).padStart(6, "0") + Math.random().toString(36).slice(2, 6);
}

function stored(storage, prefix) {
  const ids = Object.keys(storage).filter((id) => id.startsWith(prefix));
  return ids.sort().map((id) => ({ id, entry: JSON.parse(storage.getItem(id)) }));
}

// False where the browser refuses to keep it (full, or storage turned off): then it lives in this tab alone.
function keep(storage, id, entry) {
  try {
    storage.setItem(id, JSON.stringify(entry));
    return true;
  } catch {
    return false;
  }
}
