// A form for the arguments of an operation, made from the JSON Schema of its inputs.
import { createContext } from "./vendor/preact.mjs";
import { useContext, useEffect, useId, useState } from "./vendor/hooks.mjs";
import { html, pretty } from "./elements.js";
import { choicesOf, resolved, typeOf } from "./schema.js";

const MOST_DEPTH = 6;

/** Whether bytes are files in the value of a form, and not base64 text. */
const KeepsFiles = createContext(false);

/**
 * Fields for the properties of an object; `onChange` receives the object without the fields that are empty. References
 * are to places in `root`. With `keepsFiles`, the value has files themselves where the schema has bytes.
 */
export function Form({ schema, root = schema, value, onChange, keepsFiles = false }) {
  return html`<div class="form"><${KeepsFiles.Provider} value=${keepsFiles}><${Properties} schema=${resolved(schema, root)} root=${root}
    value=${value} onChange=${onChange} depth=${0} /><//></div>`;
}

function Properties({ schema, root, value, onChange, depth }) {
  const required = new Set(schema.required ?? []);
  const names = Object.keys(schema.properties ?? {}).sort((a, b) => required.has(b) - required.has(a));
  const change = (name, field) => {
    const { [name]: _, ...others } = value ?? {};
    onChange(field === undefined ? others : { ...(value ?? {}), [name]: field });
  };
  if (!names.length) return html`<p class="small">No arguments.</p>`;
  return names.map((name) => html`<${Field} key=${name} name=${name} schema=${schema.properties[name]} root=${root}
    required=${required.has(name)} value=${value?.[name]} onChange=${(field) => change(name, field)} depth=${depth} />`);
}

function Field({ name, schema: given, root, required, value, onChange, depth }) {
  const schema = resolved(given, root);
  const id = useId();
  const type = typeOf(schema);
  const choices = choicesOf(schema, root);
  const isObject = type === "object" && schema.properties && depth < MOST_DEPTH;
  const isArray = type === "array" && depth < MOST_DEPTH;
  if (isObject || isArray || (choices.length > 1 && depth < MOST_DEPTH)) {
    const Part = isObject ? ObjectPart : isArray ? ArrayPart : VariantPart;
    return html`<fieldset class="part"><legend><code>${name}</code>${required && html`<span class="required">required</span>`}
      <span class="type">${type || "variants"}</span></legend>
      ${schema.description && html`<p class="hint">${schema.description}</p>`}
      <${Part} name=${name} schema=${schema} root=${root} required=${required} value=${value} onChange=${onChange} depth=${depth} /></fieldset>`;
  }
  return html`<div class="field"><label for=${id}><code>${name}</code>${required && html`<span class="required">required</span>`}
      <span class="type">${type}${schema.format ? ` · ${schema.format}` : ""}</span></label>
    <${Scalar} id=${id} schema=${schema} required=${required} value=${value} onChange=${onChange} />
    ${schema.description && html`<p class="hint" id=${`${id}-hint`}>${schema.description}</p>`}</div>`;
}

const isBytes = (schema) => schema.contentEncoding === "base64" || schema.format === "byte" || schema.format === "binary";

function Scalar({ id, schema, required, value, onChange }) {
  const type = typeOf(schema);
  const keepsFiles = useContext(KeepsFiles);
  const options = schema.const !== undefined ? [schema.const] : schema.enum ?? (type === "boolean" ? [true, false] : null);
  const hint = schema.description ? `${id}-hint` : undefined;
  if (options) {
    const index = options.findIndex((each) => JSON.stringify(each) === JSON.stringify(value));
    return html`<select id=${id} aria-describedby=${hint} aria-required=${required} value=${String(index)}
      onChange=${(event) => onChange(event.currentTarget.value === "-1" ? undefined : options[Number(event.currentTarget.value)])}>
      <option value="-1">–</option>
      ${options.map((each, number) => html`<option value=${String(number)}>${typeof each === "string" ? each : JSON.stringify(each)}</option>`)}
    </select>`;
  }
  if (type === "integer" || type === "number") {
    return html`<input id=${id} inputmode="decimal" autocomplete="off" aria-describedby=${hint} aria-required=${required}
      value=${value ?? ""} placeholder=${placeholder(schema)} onInput=${(event) => onChange(number(event.currentTarget.value))} />`;
  }
  if (type === "string" && keepsFiles && isBytes(schema)) {
    return html`<input id=${id} type="file" aria-describedby=${hint} aria-required=${required}
      onChange=${(event) => onChange(event.currentTarget.files[0])} />`;
  }
  if (type === "string") {
    const long = (schema.maxLength ?? 0) > 200 || /\n/.test(value ?? "");
    const props = {
      id, value: value ?? "", placeholder: placeholder(schema), "aria-describedby": hint, "aria-required": required,
      autocomplete: "off", spellcheck: false,
      onInput: (event) => onChange(event.currentTarget.value === "" && !required ? undefined : event.currentTarget.value),
    };
    return html`<div class="with-file">${long ? html`<textarea ...${props} rows="3"></textarea>` : html`<input ...${props} />`}
      ${isBytes(schema) ? html`<input type="file" aria-label="File" onChange=${(event) => readFile(event.currentTarget.files[0], onChange)} />` : null}</div>`;
  }
  return html`<${Json} id=${id} value=${value} onChange=${onChange} />`;
}

/** Send a number as one; a text that is none is sent as it is, and the host says what is wrong with it. */
function number(text) {
  if (text.trim() === "") return undefined;
  const parsed = Number(text);
  return Number.isFinite(parsed) && (!Number.isInteger(parsed) || Number.isSafeInteger(parsed)) ? parsed : text;
}

function placeholder(schema) {
  const example = schema.default ?? schema.examples?.[0] ?? schema.example;
  return example === undefined ? "" : typeof example === "string" ? example : JSON.stringify(example);
}

function readFile(file, onChange) {
  if (!file) return;
  const reader = new FileReader();
  reader.onload = () => onChange(String(reader.result).replace(/^[^,]*,/, ""));
  reader.readAsDataURL(file);
}

function ObjectPart({ name, schema, root, required, value, onChange, depth }) {
  if (value === undefined && !required) return html`<button type="button" class="quiet" onClick=${() => onChange({})}>Add ${name}</button>`;
  return html`<${Properties} schema=${schema} root=${root} value=${value} onChange=${onChange} depth=${depth + 1} />
    ${!required && html`<button type="button" class="quiet" onClick=${() => onChange(undefined)}>Remove ${name}</button>`}`;
}

function ArrayPart({ name, schema, root, required, value, onChange, depth }) {
  const items = Array.isArray(value) ? value : [];
  const set = (next) => onChange(next.length || required ? next : undefined);
  const item = resolved(schema.items ?? {}, root);
  return html`${items.map((each, index) => html`<div class="item" key=${index}>
      <${Field} name=${`${name}[${index}]`} schema=${item} root=${root} required=${true} value=${each} depth=${depth + 1}
        onChange=${(field) => set(items.map((old, at) => (at === index ? field ?? null : old)))} />
      <button type="button" class="quiet" aria-label=${`Remove ${name}[${index}]`}
        onClick=${() => set(items.filter((_, at) => at !== index))}>Remove</button></div>`)}
    <button type="button" class="quiet" onClick=${() => set([...items, initial(item)])}>Add item to ${name}</button>`;
}

const INITIAL = { object: {}, array: [], string: "", boolean: false };

function initial(schema) {
  return schema.default ?? schema.enum?.[0] ?? INITIAL[typeOf(schema)] ?? null;
}

function VariantPart({ name, schema, root, required, value, onChange, depth }) {
  const choices = choicesOf(schema, root);
  const [index, setIndex] = useState(0);
  const choose = (next) => { setIndex(next); onChange(required ? initial(choices[next]) : undefined); };
  return html`<label class="variant">Variant <select value=${String(index)} onChange=${(event) => choose(Number(event.currentTarget.value))}>
      ${choices.map((each, number) => html`<option value=${String(number)}>${each.title ?? (typeOf(each) || `variant ${number + 1}`)}</option>`)}
    </select></label>
    <${Field} name=${name} schema=${choices[index]} root=${root} required=${required} value=${value} onChange=${onChange} depth=${depth + 1} />`;
}

/** A field for any JSON; an invalid text is shown as such, and changes nothing. */
export function Json({ id, value, onChange, rows = 4, label }) {
  const [text, setText] = useState(value === undefined ? "" : pretty(value));
  const [invalid, setInvalid] = useState(false);
  useEffect(() => {
    let same = false;
    try { same = JSON.stringify(JSON.parse(text)) === JSON.stringify(value); } catch { same = invalid || (text.trim() === "" && value === undefined); }
    if (!same && document.activeElement?.id !== id) { setText(value === undefined ? "" : pretty(value)); setInvalid(false); }
  }, [value]);
  const change = (event) => {
    const next = event.currentTarget.value;
    setText(next);
    if (next.trim() === "") { setInvalid(false); onChange(undefined); return; }
    try { onChange(JSON.parse(next)); setInvalid(false); } catch { setInvalid(true); }
  };
  return html`<textarea id=${id} class="json" rows=${rows} value=${text} onInput=${change} aria-invalid=${invalid} aria-label=${label}
    spellcheck=${false} placeholder="JSON"></textarea>${invalid && html`<p class="hint bad" role="status">This is not JSON yet.</p>`}`;
}
