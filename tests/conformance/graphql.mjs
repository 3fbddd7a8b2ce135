// Audit a GraphQL endpoint, and query it with a client; print one JSON object.
import {createClient} from "graphql-http";
import {auditServer} from "graphql-http";

const [url, query] = process.argv.slice(2);

const results = await auditServer({url});
const failed = results.filter(({status}) => status !== "ok").map(({id, name, status, reason}) => ({id, name, status, reason}));

const client = createClient({url});
const result = await new Promise((resolve, reject) => {
  let last;
  client.subscribe({query}, {next: (data) => (last = data), error: reject, complete: () => resolve(last)});
});
client.dispose();

console.log(JSON.stringify({audits: results.length, failed, result}));
