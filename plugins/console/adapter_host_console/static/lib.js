// What all views share: the elements of all pages, and requests to the server.
export * from "./elements.js";

export class ServerError extends Error {}

/** Return the data of the server; with a body, it is sent by POST. A `signal` can stop it. */
export async function request(path, body, signal) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  let response;
  try {
    response = await fetch(path, { ...options, signal, credentials: "same-origin" });
  } catch {
    throw new ServerError("the host does not respond; it may have stopped");
  }
  if (response.status === 401) location.assign("/login");
  const data = await response.json();
  if (!response.ok) throw new ServerError(data.detail ?? response.statusText);
  return data;
}
