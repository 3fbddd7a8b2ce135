// A JSON Schema as a tree that people read.
import { useState } from "./vendor/hooks.mjs";
import { html } from "./elements.js";

const LIMITS = [
  ["minimum", "≥"], ["exclusiveMinimum", ">"], ["maximum", "≤"], ["exclusiveMaximum", "<"], ["minLength", "min. length"],
  ["maxLength", "max. length"], ["minItems", "min. items"], ["maxItems", "max. items"], ["pattern", "pattern"], ["format", "format"],
];

/** Return a schema without references at its top, and without a variant that is only null. */
export function resolved(schema, root, depth = 0) {
  if (typeof schema !== "object" || schema === null) return {};
  if (typeof schema.$ref === "string" && schema.$ref.startsWith("#/") && depth < 20) {
    const target = schema.$ref.slice(2).split("/").reduce(
      (node, part) => node?.[decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~")], root);
    const { $ref, ...own } = schema;
    return { ...resolved(target, root, depth + 1), ...own };
  }
  if (Array.isArray(schema.allOf) && schema.allOf.length === 1) {
    const { allOf, ...own } = schema;
    return { ...resolved(allOf[0], root, depth + 1), ...own };
  }
  const choices = (schema.anyOf ?? schema.oneOf)?.filter((each) => each?.type !== "null");
  if (choices?.length === 1 && depth < 20) {
    const { anyOf, oneOf, ...own } = schema;
    return { ...resolved(choices[0], root, depth + 1), ...own };
  }
  return schema;
}

/** The type of a schema that is not null; empty for several. */
export function typeOf(schema) {
  const types = [schema.type ?? []].flat().filter((each) => each !== "null");
  if (types.length === 1) return types[0];
  return schema.properties ? "object" : schema.items ? "array" : "";
}

export const choicesOf = (schema, root) =>
  (schema.anyOf ?? schema.oneOf ?? []).map((each) => resolved(each, root)).filter((each) => each.type !== "null");

function typeText(schema, root) {
  const type = typeOf(schema);
  if (type === "array") return `array of ${typeText(resolved(schema.items ?? {}, root), root)}`;
  if (type) return type;
  const choices = choicesOf(schema, root);
  if (choices.length) return [...new Set(choices.map((each) => typeText(each, root)))].join(" or ");
  return schema.enum ? "one of" : [schema.type ?? "any"].flat().join(" or ");
}

/** A tree of a schema; `places` are where requests carry the properties at its top, by name. References are to `root`. */
export function SchemaTree({ schema, root = schema, places = {} }) {
  return html`<ul class="schema"><${Members} schema=${resolved(schema, root)} root=${root} depth=${0} places=${places} /></ul>`;
}

function Members({ schema, root, depth, places = {} }) {
  if (typeOf(schema) === "array") {
    return html`<${Member} name="[ ]" schema=${schema.items ?? {}} root=${root} depth=${depth} />`;
  }
  const choices = choicesOf(schema, root);
  if (!schema.properties && choices.length > 1) {
    return choices.map((each, index) => html`<${Member} name=${`variant ${index + 1}`} schema=${each} root=${root} depth=${depth} />`);
  }
  const required = new Set(schema.required ?? []);
  const names = Object.keys(schema.properties ?? {});
  const more = typeof schema.additionalProperties === "object" && schema.additionalProperties;
  if (!names.length && !more) return html`<li class="small">${typeText(schema, root)}, not described further</li>`;
  return html`${names.map((name) => html`<${Member} name=${name} schema=${schema.properties[name]} root=${root}
      required=${required.has(name)} depth=${depth} place=${places[name]} />`)}
    ${more && html`<${Member} name="(any name)" schema=${more} root=${root} depth=${depth} />`}`;
}

const hasMembers = (schema, root) => {
  const inner = typeOf(schema) === "array" ? resolved(schema.items ?? {}, root) : schema;
  return Boolean(inner.properties || typeof inner.additionalProperties === "object" || choicesOf(inner, root).length > 1
    || (typeOf(inner) === "array" && inner !== schema));
};

function Member({ name, schema: given, root, required, depth, place }) {
  const schema = resolved(given, root);
  const nested = hasMembers(schema, root);
  const [open, setOpen] = useState(depth < 1);
  const inner = typeOf(schema) === "array" && hasMembers(schema, root) ? resolved(schema.items ?? {}, root) : schema;
  return html`<li>
    <div class="member">
      <code class="key">${name}</code>${required && html`<span class="required">required</span>`}
      <span class="type">${typeText(schema, root)}${place ? `, in the ${place}` : ""}</span>
      ${LIMITS.filter(([key]) => schema[key] !== undefined).map(([key, text]) => html`<span class="limit">${text} ${String(schema[key])}</span>`)}
      ${schema.default !== undefined && html`<span class="limit">default ${JSON.stringify(schema.default)}</span>`}
    </div>
    ${schema.description && html`<p class="text">${schema.description}</p>`}
    ${(schema.enum ?? schema.items?.enum) && html`<p class="values">${(schema.enum ?? schema.items.enum).slice(0, 30).map((each) =>
      html`<code>${typeof each === "string" ? each : JSON.stringify(each)}</code> `)}</p>`}
    ${nested && html`<button type="button" class="quiet fold" aria-expanded=${open} onClick=${() => setOpen(!open)}>
      ${open ? "▾ hide fields" : "▸ show fields"}</button>`}
    ${nested && open && html`<ul><${Members} schema=${inner} root=${root} depth=${depth + 1} /></ul>`}
  </li>`;
}
