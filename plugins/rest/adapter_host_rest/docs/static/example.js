// A value that a schema describes: its example or default, or a plain value of its type.
import { choicesOf, resolved, typeOf } from "./schema.js";

const MOST_DEPTH = 6;
const PLAIN = { string: "text", integer: 1, number: 1.5, boolean: true, null: null };

/** Return an example with the required properties of objects, or with all of them where none is required. */
export function exampleOf(given, root, depth = 0) {
  const schema = resolved(given, root);
  const own = [schema.example, schema.examples?.[0], schema.default, schema.const, schema.enum?.[0]].find((each) => each !== undefined);
  if (own !== undefined) return own;
  const choices = choicesOf(schema, root);
  const type = typeOf(schema);
  if (!type && choices.length) return exampleOf(choices[0], root, depth + 1);
  if (depth > MOST_DEPTH) return null;
  if (type === "array") return schema.items ? [exampleOf(schema.items, root, depth + 1)] : [];
  if (type !== "object") return PLAIN[type] ?? null;
  const names = schema.required?.length ? schema.required : Object.keys(schema.properties ?? {});
  return Object.fromEntries(names.filter((name) => schema.properties?.[name]).map((name) => [name, exampleOf(schema.properties[name], root, depth + 1)]));
}
