// The request of a call as text: for a shell, for Python, and as a message of MCP.
import { pretty } from "./lib.js";
import { curlCommand, quoted } from "./shell.js";

/** Return the headers of a request with placeholders for credentials. */
function headers(request, authentication) {
  const secret = { bearer: "Bearer ...", oauth2: "Bearer ...", basic: "Basic ..." }[authentication];
  return { ...request.headers, ...(secret ? { Authorization: secret } : {}) };
}

export function curl(request, authentication) {
  const { method, url, body } = request;
  const options = body === null ? [] : [["--data-raw", body]];
  return curlCommand({ method, url, headers: headers(request, authentication), options });
}

/** Return a value as a Python literal, with indents. */
function literal(value, indent = "") {
  const inner = `${indent}    `;
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) {
    return value.length ? `[\n${value.map((each) => `${inner}${literal(each, inner)},\n`).join("")}${indent}]` : "[]";
  }
  if (typeof value === "object") {
    const entries = Object.entries(value);
    return entries.length
      ? `{\n${entries.map(([key, each]) => `${inner}${JSON.stringify(key)}: ${literal(each, inner)},\n`).join("")}${indent}}` : "{}";
  }
  return JSON.stringify(value);
}

export function python(operation, request, args) {
  if (operation.type === "mcp") {
    const sent = literal(args, "        ");
    return `import asyncio\n\nfrom mcp import Client\n\n\nasync def main() -> None:\n    async with Client(${JSON.stringify(operation.url)}) as client:\n`
      + `        result = await client.call_tool(${JSON.stringify(operation.name)}, ${sent})\n        print(result)\n\n\nasyncio.run(main())\n`;
  }
  const { "Content-Type": contentType, ...others } = headers(request, operation.authentication);
  const isJson = request.body !== null && /json/.test(contentType ?? "");
  const parts = [JSON.stringify(request.method), JSON.stringify(request.url)];
  if (Object.keys(others).length) parts.push(`headers=${literal(others, "    ")}`);
  if (isJson) parts.push(`json=${literal(JSON.parse(request.body), "    ")}`);
  return `import httpx\n\nresponse = httpx.request(\n${parts.map((each) => `    ${each},\n`).join("")})\nresponse.raise_for_status()\nprint(response.text)\n`;
}

export function mcpCall(request) {
  const { _meta, ...params } = JSON.parse(request.body).params;
  return pretty({ method: "tools/call", params });
}

export function command(operation, args) {
  const words = ["adapter-host", "call", operation.file, `${operation.declared.exposer}.${operation.declared.name}`];
  for (const [name, value] of Object.entries(args)) words.push(`${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return words.map(quoted).join(" ");
}
