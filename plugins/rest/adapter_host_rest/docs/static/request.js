// From the values of a form to an HTTP request, by the styles of OpenAPI.

const FORBIDDEN = /^(accept-charset|accept-encoding|access-control-request-.*|connection|content-length|cookie2?|date|dnt|expect|host|keep-alive|origin|permissions-policy|proxy-.*|referer|sec-.*|set-cookie|te|trailer|transfer-encoding|upgrade|via)$/i;

/** Return whether a browser refuses to set a header, so that only other clients can send it. */
export const isForbidden = (name) => FORBIDDEN.test(name);

const text = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));
const isMap = (value) => typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Blob);
const RESERVED = /%(3A|2F|3F|23|5B|5D|40|21|24|26|27|28|29|2A|2B|2C|3B|3D)/g;

/** Encode a text for a URL; reserved characters stay where a parameter allows them. */
function encoded(value, allowReserved = false) {
  const all = encodeURIComponent(text(value)).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  return allowReserved ? all.replace(RESERVED, (part) => (/%(23|26|2B|3D|5B|5D)/.test(part) ? part : decodeURIComponent(part))) : all;
}

/** Return the parts of a value as a delimited list: items, or names and values. */
function listed(value, explode, encode) {
  if (Array.isArray(value)) return value.map(encode);
  if (isMap(value)) return Object.entries(value).flatMap(([key, each]) => (explode ? [`${encode(key)}=${encode(each)}`] : [encode(key), encode(each)]));
  return [encode(value)];
}

function pathText({ name, style = "simple", explode = false, content }, value) {
  if (content) return encoded(JSON.stringify(value));
  if (style === "matrix") {
    const key = encoded(name);
    if (explode && Array.isArray(value)) return value.map((each) => `;${key}=${encoded(each)}`).join("");
    if (explode && isMap(value)) return listed(value, true, encoded).map((each) => `;${each}`).join("");
    return `;${key}=${listed(value, false, encoded).join(",")}`;
  }
  const parts = listed(value, explode, (each) => encoded(each));
  return style === "label" ? `.${parts.join(explode ? "." : ",")}` : parts.join(",");
}

/** Return the pairs of a parameter of the query, or a field of a form, already encoded. */
export function pairsOf({ name, style = "form", explode = style === "form" || style === "deepObject", content, allowReserved }, value) {
  const key = encoded(name);
  const encode = (each) => encoded(each, allowReserved);
  if (content || (typeof value !== "object" || value === null)) return [[key, encode(content ? JSON.stringify(value) : value)]];
  if (style === "deepObject") return deepPairs(key, value, encode);
  if (Array.isArray(value) && explode) return value.map((each) => [key, encode(each)]);
  if (explode && style === "form") return Object.entries(value).map(([inner, each]) => [encoded(inner), encode(each)]);
  const delimiter = { spaceDelimited: "%20", pipeDelimited: "%7C" }[style] ?? ",";
  return [[key, listed(value, false, encode).join(delimiter)]];
}

function deepPairs(key, value, encode) {
  return Object.entries(value).flatMap(([inner, each]) => {
    const name = Array.isArray(value) ? key : `${key}%5B${encoded(inner)}%5D`;
    return typeof each === "object" && each !== null ? deepPairs(name, each, encode) : [[name, encode(each)]];
  });
}

function headerText({ explode = false, content }, value) {
  return content ? JSON.stringify(value) : listed(value, explode, text).join(",");
}

/** Return the request of an operation: its parts, and what is missing or cannot be sent by a browser. */
export function buildRequest(operation, values, root, credential) {
  const { missing, path } = pathOf(operation, values.path);
  const given = (place) => operation.parameters.filter((each) => each.in === place && values[place][each.name] !== undefined);
  const pairs = [...(credential?.query ?? []).map((pair) => pair.map((each) => encoded(each))),
    ...given("query").flatMap((each) => pairsOf(each, values.query[each.name]))];
  const headers = { ...(credential?.headers ?? {}) };
  for (const each of given("header")) headers[each.name] = headerText(each, values.header[each.name]);
  const cookies = given("cookie").flatMap((each) => pairsOf(each, values.cookie[each.name]).map((pair) => pair.join("=")));
  if (cookies.length) headers.Cookie = cookies.join("; ");
  const body = bodyOf(values);
  if (body?.type) headers["Content-Type"] = body.type;
  // A path may have a query that selects the operation.
  const query = pairs.map((pair) => pair.join("=")).join("&");
  const url = `${root}${path}${query && (path.includes("?") ? "&" : "?")}${query}`;
  const unsendable = Object.keys(headers).filter(isForbidden);
  const bodiless = body && /^(GET|HEAD)$/.test(operation.method);
  return { method: operation.method, url, headers, body, missing, unsendable: bodiless ? [...unsendable, "the body"] : unsendable };
}

function pathOf(operation, values) {
  const missing = [];
  const path = operation.path.replace(/\{([^}]*)\}/g, (whole, name) => {
    const parameter = operation.parameters.find((each) => each.in === "path" && each.name === name);
    if (values[name] === undefined || values[name] === "") missing.push(name);
    return parameter && values[name] !== undefined ? pathText(parameter, values[name]) : whole;
  });
  return { missing, path };
}

/** Return the content of a body with its media type (none where the browser sets it), and the options of curl. */
function bodyOf({ media, body, encoding }) {
  if (body === undefined || media === "") return null;
  if (media === "multipart/form-data") return formBody(body, encoding);
  if (media === "application/x-www-form-urlencoded") {
    const pairs = Object.entries(body).flatMap(([name, value]) => pairsOf(fieldOf(name, value, encoding), value));
    const content = pairs.map((pair) => pair.join("=")).join("&");
    return { type: media, content, options: [["--data-raw", content]] };
  }
  if (body instanceof Blob) return { type: media, content: body, options: [["--data-binary", `@${body.name}`]] };
  const content = /json/i.test(media) ? JSON.stringify(body) : text(body);
  return { type: media, content, options: [["--data-raw", content]] };
}

/** A field of a form in the words of a parameter: objects are JSON unless the document says otherwise. */
function fieldOf(name, value, encoding = {}) {
  const { contentType, ...declared } = encoding[name] ?? {};
  const asJson = /json/i.test(contentType ?? "") || (!declared.style && (isMap(value) || (Array.isArray(value) && value.some(isMap))));
  return { name, ...declared, content: asJson ? {} : undefined };
}

function formBody(body, encoding) {
  const content = new FormData();
  const options = [];
  const addFile = (name, file) => {
    content.append(name, file, file.name);
    options.push(["-F", `${name}=@"${file.name.replace(/["\\]/g, "\\$&")}"`]);
  };
  const addText = (name, value) => {
    content.append(name, value);
    options.push(["--form-string", `${name}=${value}`]);
  };
  for (const [name, value] of Object.entries(body)) {
    const files = [value].flat().filter((each) => each instanceof Blob);
    if (files.length) files.forEach((file) => addFile(name, file));
    else pairsOf(fieldOf(name, value, encoding), value).forEach((pair) => addText(...pair.map(decodeURIComponent)));
  }
  return { type: null, content, options };
}
