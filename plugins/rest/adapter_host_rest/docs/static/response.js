// Send a request, and read its response as it comes.

const MOST_SHOWN = 1024 * 1024;
const MOST_KEPT = 64 * 1024 * 1024;
const MOST_ITEMS = 500;

const STREAMS = { "text/event-stream": /\r?\n\r?\n|\r\r/, "application/x-ndjson": /\r?\n/, "application/jsonl": /\r?\n/, "application/json-seq": /\x1e/ };

export const isText = (type) => /^(text\/|application\/(.*\+)?(json|xml|yaml|javascript|x-www-form-urlencoded|jsonl|x-ndjson|json-seq)$)/.test(type);

/**
 * Send a request. `onChange` receives what is known of the response whenever more of it has come; the returned function
 * stops it.
 */
export function send(request, credentials, onChange) {
  const abort = new AbortController();
  receive(request, credentials, abort, onChange);
  return () => abort.abort();
}

async function receive({ method, url, headers, body }, credentials, abort, onChange) {
  const started = performance.now();
  const state = { busy: true, status: null, error: null, size: 0, chunks: [], text: "", items: [], skipped: 0, isStream: false };
  const change = (changes) => onChange(Object.assign(state, changes, { duration: performance.now() - started }) && { ...state });
  change({});
  try {
    const options = { method, headers, body: body?.content, credentials, signal: abort.signal, cache: "no-store" };
    const response = await fetch(url, options);
    const type = (response.headers.get("Content-Type") ?? "").split(";")[0].trim().toLowerCase();
    change({ status: response.status, reason: response.statusText, headers: [...response.headers], type, isStream: type in STREAMS });
    await readBody(response, state, change);
    change({ busy: false });
  } catch (error) {
    change({ busy: false, error: error.name === "AbortError" ? "Stopped." : state.status === null
      ? "No response: the exposer is not reachable, or the response leads to another origin." : "The response ended before it was complete." });
  }
}

async function readBody(response, state, change) {
  if (!response.body) return;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const items = state.isStream ? new Items(STREAMS[state.type], state) : null;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    state.size += value.length;
    state.chunks.push(value);
    if (items) items.add(decoder.decode(value, { stream: true }));
    else if (isText(state.type) && state.text.length < MOST_SHOWN) state.text += decoder.decode(value, { stream: true });
    change({ truncated: state.text.length >= MOST_SHOWN });
    if (state.size > MOST_KEPT) {
      await reader.cancel();
      return change({ error: "Stopped after 64 MiB; use the curl command for a longer response." });
    }
  }
  items?.end();
}

/** The items of a stream, of which the last ones are kept. */
class Items {
  constructor(delimiter, state) {
    Object.assign(this, { delimiter, state, rest: "" });
  }

  add(text) {
    const parts = (this.rest + text).split(this.delimiter);
    this.rest = parts.pop();
    this.keep(parts);
  }

  end() {
    this.keep([this.rest]);
  }

  keep(parts) {
    const { state } = this;
    const items = [...state.items, ...parts.filter((part) => part.trim())];
    const excess = Math.max(0, items.length - MOST_ITEMS);
    Object.assign(state, { items: items.slice(excess), skipped: state.skipped + excess });
  }
}
