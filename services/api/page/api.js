// The HTTP API as functions. Every failure is an ApiError that says what it means for the page.

const PATIENCE_MS = 20_000;

export class ApiError extends Error {
  constructor({ status = 0, code = "offline", message, mend = "", retryAfter = 0 }) {
    super(message);
    Object.assign(this, { status, code, mend, retryAfter });
  }

  // An outage: the same request may work later. Everything else will be refused again.
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export function createApi(key, clock) {
  async function call(method, path, body) {
    const response = await reach(path, {
      method,
      headers: { Authorization: `Bearer ${key}`, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
      cache: "no-store",
    });
    clock.learn(response);
    if (!response.ok) throw await refusal(response);
    return response.status === 204 ? { none: response.headers.get("X-Prefloop-Reason") ?? "done" } : response.json();
  }

  return {
    me: () => call("GET", "/v1/me"),
    appeal: (words) => call("POST", "/v1/me/appeal", { words }),
    next: (campaign, exclude) => call("POST", "/v1/tasks/next", { campaign, exclude }),
    judge: (judgment) => call("POST", "/v1/judgments", judgment),
    skip: (task, reason) => call("POST", `/v1/tasks/${encodeURIComponent(task)}/skip`, { reason }),
    guideline: (campaign) => call("GET", `/v1/campaigns/${encodeURIComponent(campaign)}/guideline`),
  };
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    throw new ApiError({ message: `The service can't be reached (${error.name}).`, mend: "It is tried again on its own." });
  }
}

async function refusal(response) {
  const body = await response.json().catch(() => ({})); // a proxy's error page is no JSON
  const { code = "", message = `The service answered ${response.status}.`, mend = "" } = body.error ?? {};
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  return new ApiError({ status: response.status, code, message, mend, retryAfter });
}
