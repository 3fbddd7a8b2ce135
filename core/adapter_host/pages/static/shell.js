// Commands for a shell.

/** Return a word as a shell reads it. */
export const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

/** Return the curl command of a request: its method, URL, headers by name, and further options in pairs. */
export function curlCommand({ method, url, headers = {}, options = [] }) {
  const words = [method === "GET" ? "" : method === "HEAD" ? "-I" : `-X ${method}`, quoted(url)].filter(Boolean);
  const lines = [...Object.entries(headers).map(([name, value]) => ["-H", `${name}: ${value}`]), ...options];
  return ["curl", ...words].join(" ") + lines.map(([option, value]) => ` \\\n  ${option} ${quoted(value)}`).join("");
}
