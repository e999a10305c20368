// Asking the server: adds the page's CSRF token, and turns every refusal into one kind of error.

const csrfToken = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** A refusal of the server, or no answer at all (status 0, code "offline"). */
export class ApiError extends Error {
  constructor(status, code, detail, fields = {}) {
    super(detail);
    this.name = "ApiError";
    Object.assign(this, { status, code, detail, fields });
  }
}

/**
 * One request to the API.
 * @param {string} method
 * @param {string} path such as "/video-submissions/…"
 * @param {object} [body] sent as JSON
 * @param {{signal?: AbortSignal, keepalive?: boolean}} [options]
 * @returns {Promise<any>} the JSON of the answer, null when it has none
 * @throws {ApiError}
 */
export async function api(method, path, body, options = {}) {
  const response = await ask(method, path, body, options);
  return response.status === 204 ? null : response.json();
}

/** A list, whole: every page of it, as the `Link` headers lead. Errors as those of `api`. */
export async function apiAll(path) {
  const items = [];
  for (let next = path; next; ) {
    const response = await ask("GET", next);
    items.push(...(await response.json()));
    next = nextPath(response.headers.get("Link"));
  }
  return items;
}

/** Where the next page is, on this server; null after the last. */
export function nextPath(link) {
  const address = /<([^>]+)>;\s*rel="?next"?/.exec(link ?? "")?.[1];
  if (!address) return null;
  const { pathname, search } = new URL(address, location.href);
  return pathname + search;
}

async function ask(method, path, body, options = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken();
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      ...options,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "offline", "You are offline. It will work again when the network is back.");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401) {
    const next = encodeURIComponent(location.pathname + location.search);
    location.assign(`/login?expired=1&next=${next}`);
  }
  throw new ApiError(
    response.status,
    problem.code ?? "internal",
    problem.detail ?? "Something went wrong on the server.",
    problem.fields,
  );
}
