// Files that the browser saves.

/** Let the browser save parts of bytes or text as a file. */
export function saveFile(parts, type, name) {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has read the data by then.
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
