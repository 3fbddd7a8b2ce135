// An OpenAPI document as a list of operations that can be searched.

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch"];

/** Return the part of a document that a reference names, or the part itself. */
export function dereferenced(part, document) {
  let found = part;
  for (let depth = 0; typeof found?.$ref === "string" && depth < 20; depth += 1) {
    found = found.$ref.replace(/^#\//, "").split("/").reduce(
      (node, name) => node?.[decodeURIComponent(name).replaceAll("~1", "/").replaceAll("~0", "~")], document);
  }
  return found ?? {};
}

/** Return the operations of a document in its order, each with the text that a search looks through. */
export function operationsOf(document) {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) => METHODS.filter((method) => item[method])
    .map((method) => operationOf(document, path, method, item[method])));
}

function operationOf(document, path, method, described) {
  const parameters = (described.parameters ?? []).map((each) => dereferenced(each, document));
  const summary = described.summary ?? (described.description ?? "").split("\n", 1)[0];
  const id = described.operationId;
  const words = [id, method, path, summary, ...(described.tags ?? []), ...parameters.map((each) => each.name)];
  return { id, method: method.toUpperCase(), path, summary, parameters, described, text: words.join(" ").toLowerCase() };
}

/** Return the operations that have all words of a query; those whose id or path it names come first. */
export function search(operations, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return operations;
  const ranks = [[], [], [], []];
  for (const each of operations) {
    if (words.every((word) => each.text.includes(word))) ranks[rank(each, words)].push(each);
  }
  return ranks.flat();
}

function rank({ id, path }, words) {
  const names = [id.toLowerCase(), path.toLowerCase()];
  if (words.length === 1 && names.includes(words[0])) return 0;
  if (names.some((name) => name.startsWith(words[0]))) return 1;
  return words.every((word) => names.some((name) => name.includes(word))) ? 2 : 3;
}
