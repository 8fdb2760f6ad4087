// The time as the server sees it, so that a wrong clock on this machine changes no answer's times.

export function createClock(local = () => Date.now()) {
  let offset = null;
  return {
    now: () => Math.round(local() + (offset ?? 0)),
    // The Date header is cut to whole seconds, so this time is never ahead of the server's, which would set it to
    // its own and shorten the time an answer took. Learnt once: both times of an answer need the same offset.
    learn(response) {
      const date = Date.parse(response.headers.get("Date") ?? "");
      if (offset === null && !Number.isNaN(date)) offset = date - local();
    },
  };
}
