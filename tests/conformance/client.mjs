// Lists, calls, reads and gets by a TypeScript client, and prints what came as JSON.
// Arguments: the package ("sdk" or "client"), then a URL, or a command and its arguments.
const [kind, target, ...rest] = process.argv.slice(2);
const { Client, StreamableHTTPClientTransport, StdioClientTransport } =
  kind === "sdk"
    ? {
        ...(await import("@modelcontextprotocol/sdk/client/index.js")),
        ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
        ...(await import("@modelcontextprotocol/sdk/client/stdio.js")),
      }
    : {
        ...(await import("@modelcontextprotocol/client")),
        ...(await import("@modelcontextprotocol/client/stdio")),
      };

const transport = target.startsWith("http")
  ? new StreamableHTTPClientTransport(new URL(target))
  : new StdioClientTransport({ command: target, args: rest, stderr: "inherit" });
const client = new Client({ name: "test", version: "1" });
await client.connect(transport);
const result = await client.callTool({ name: "greet", arguments: { name: "Ada" } });
const read = await client.readResource({ uri: "greeting://about" });
const got = await client.getPrompt({ name: "be-kind", arguments: { whom: "cats" } });
const told = {
  tools: (await client.listTools()).tools.map((tool) => tool.name),
  resources: (await client.listResources()).resources.map((resource) => resource.uri),
  prompts: (await client.listPrompts()).prompts.map((prompt) => prompt.name),
  called: result.structuredContent,
  read: read.contents[0].text,
  got: got.messages[0].content.text,
};
await client.close();
console.log(JSON.stringify(told));
