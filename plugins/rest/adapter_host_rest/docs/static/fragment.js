// The part of the URL after the `#`: the id of an operation, and the words of a search after a `?`.

export function readFragment() {
  const [id, query = ""] = location.hash.replace(/^#/, "").split("?", 2);
  return { id: decoded(id), query: new URLSearchParams(query).get("q") ?? "" };
}

export const fragmentOf = (id, query) =>
  `#${encodeURIComponent(id)}${query ? `?${new URLSearchParams({ q: query })}` : ""}`;

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
