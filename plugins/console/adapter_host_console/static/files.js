// The files of the capabilities that are served, to change them.
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import { Differences } from "./differences.js";
import { Badge, classes, html, Notice, plural, request, useLoaded } from "./lib.js";

const PAUSE = 400;

/** Texts that are not saved yet, by the id of their file, with the text and the version that they were made from. */
const drafts = new Map();

addEventListener("beforeunload", (event) => { if (drafts.size > 0) event.preventDefault(); });

export function Files({ path, host }) {
  const [id, line] = path;
  const { data, error } = useLoaded(() => request("/api/files"), `files-${host.data?.generation}`);
  if (error) return html`<div class="page"><h1>Files</h1><${Notice} kind="error">${error}<//></div>`;
  if (id) return html`<${FilePage} id=${id} line=${Number(line) || 0} key=${id} host=${host} />`;
  return html`<div class="page"><header class="title"><h1>Files</h1></header>
    <div class="block"><ul class="files">${(data?.files ?? []).map((each) => html`<li>
      ${each.refusal ? html`<code>${each.file}</code>` : html`<a href=${`#/files/${each.id}`}><code>${each.file}</code></a>`}
      <span>${each.label}</span>
      ${drafts.has(each.id) && html`<${Badge} kind="warn">not saved<//>`}
      ${each.refusal && html`<span class="small">${each.refusal}</span>`}</li>`)}</ul>
      ${data && data.files.length === 0 && html`<p class="empty">No capability that is served has a file.</p>`}</div></div>`;
}

function FilePage({ id, line, host }) {
  const [turn, setTurn] = useState(0);
  const { data, error } = useLoaded(() => request(`/api/files/${id}`), `${id}-${turn}`);
  if (error) {
    return html`<div class="page"><a class="crumb" href="#/files">‹ Files</a><h1 class="hidden">File</h1>
      <${Notice} kind="error">${error}<//><button type="button" onClick=${() => setTurn(turn + 1)}>Try again</button></div>`;
  }
  if (!data) return html`<div class="page" aria-busy="true"></div>`;
  return html`<${Editing} key=${turn} file=${data} line=${line} host=${host} onReopen=${() => setTurn(turn + 1)} />`;
}

/** Check a text after a pause, and return its problems with the text that they belong to. */
function useProblems(id, text) {
  const [state, setState] = useState({ text: null, problems: [], leftOut: 0, error: null });
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const found = await request(`/api/files/${id}/check`, { text }, stop.signal);
        setState({ text, problems: found.problems, leftOut: found.left_out, error: null });
      } catch (error) {
        if (!stop.signal.aborted) setState({ text, problems: [], leftOut: 0, error: error.message });
      }
    }, PAUSE);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [text]);
  return state;
}

function Editing({ file, line, host, onReopen }) {
  const [base, setBase] = useState(drafts.get(file.id)?.base ?? { text: file.text, version: file.version });
  const [text, setText] = useState(drafts.get(file.id)?.text ?? file.text);
  const [changes, setChanges] = useState(null);
  const [outcome, setOutcome] = useState(null);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const editor = useRef(null);
  const checked = useProblems(file.id, text);
  const changed = text !== base.text;
  useEffect(() => { if (changed) drafts.set(file.id, { base, text }); else drafts.delete(file.id); }, [text, base]);
  useEffect(() => { if (editor.current && checked.text === text) editor.current.setProblems(checked.problems); }, [checked]);

  const run = async (work) => {
    setBusy(true);
    setError(null);
    try { await work(); } catch (failure) { setError(failure.message); } finally { setBusy(false); }
  };
  const compare = () => run(async () => {
    setOutcome(null);
    setChanges(await request(`/api/files/${file.id}/differences`, { text, version: base.version }));
  });
  const returning = useRef(false);
  const back = () => { returning.current = true; setChanges(null); };
  const save = () => run(async () => {
    const result = await request(`/api/files/${file.id}`, { text, version: changes.version });
    setBase({ text, version: result.version });
    back();
    setOutcome(result);
    host.again();
  });
  useEffect(() => { if (!changes && returning.current) { returning.current = false; editor.current?.focus(); } }, [changes]);
  const reopen = () => { drafts.delete(file.id); onReopen(); };
  const errors = checked.problems.filter((each) => !each.warning).length;
  return html`<div class="page wide edit">
    <header class="title"><a class="crumb" href="#/files">‹ Files</a><h1><code>${file.file}</code></h1>
      ${changed && html`<${Badge} kind="warn">not saved<//>`}
      <div class="actions">
        ${changes ? html`<button type="button" onClick=${back}>Back to the text</button>`
          : html`<button type="button" disabled=${!changed || busy} onClick=${reopen}>Discard changes</button>
            <button type="button" class="primary" disabled=${!changed || busy || file.read_only !== null} onClick=${compare}>Review changes</button>`}
      </div></header>
    ${file.read_only && html`<${Notice} kind="warn">You cannot save changes: ${file.read_only}.<//>`}
    ${error && html`<${Notice} kind="error">${error}<//>`}
    ${outcome && html`<${Outcome} outcome=${outcome} />`}
    ${changes && html`<${Review} changes=${changes} file=${file.file} errors=${errors} busy=${busy} onSave=${save} onReopen=${reopen} />`}
    <div class=${classes("writing", changes && "gone")}>
      <${TextEditor} file=${file} text=${text} line=${line} editor=${editor} onChange=${setText} onReview=${compare} />
      <${ProblemList} checked=${checked} current=${checked.text === text} onChoose=${(problem) => editor.current?.reveal(problem.start)} />
    </div></div>`;
}

/** The changes before they are saved. Its button is not where that to review is: a double click saves nothing. */
function Review({ changes, file, errors, busy, onSave, onReopen }) {
  const heading = useRef();
  useEffect(() => heading.current.focus(), []);
  return html`<section aria-label="Review"><h2 tabindex="-1" ref=${heading}>Changes</h2>
    ${changes.conflict && html`<div class="notice warn" role="alert">
      <p>The file on the disk has changed since you opened it. Below are all differences from the file as it is now: if you save,
        your text replaces it.</p><button type="button" onClick=${onReopen}>Discard my text and open the file again</button></div>`}
    ${errors > 0 && html`<${Notice} kind="warn">The text has ${plural(errors, "error")}. You can save it, but the host will refuse to
      reload it, and continue to serve the version before.<//>`}
    <button type="button" class="primary" disabled=${busy || (changes.added === 0 && changes.removed === 0)} onClick=${onSave}>Save and reload</button>
    <${Differences} changes=${changes} file=${file} /></section>`;
}

function Outcome({ outcome }) {
  if (outcome.reloaded) return html`<${Notice} kind="good">Saved and reloaded: the host serves generation ${outcome.generation}.<//>`;
  return html`<div class="notice error" role="alert"><p>Saved, but not reloaded: ${outcome.failure}. The host continues to serve the
      version before (generation ${outcome.generation}).</p>
    <ul>${outcome.problems.slice(0, 20).map((each) => html`<li><code>${each.file}${each.line ? `:${each.line}:${each.column}` : ""}</code> ${each.message}</li>`)}</ul></div>`;
}

function TextEditor({ file, text, line, editor, onChange, onReview }) {
  const box = useRef();
  const [error, setError] = useState(null);
  const handlers = useRef();
  handlers.current = { onChange, onReview };
  useEffect(() => {
    let closed = false;
    import("./code_editor.js").then(({ openEditor }) => {
      if (closed) return;
      editor.current = openEditor(box.current, {
        text,
        label: `Text of ${file.file}`,
        onChange: (next) => handlers.current.onChange(next),
        onReview: () => handlers.current.onReview(),
      });
      if (line) editor.current.reveal(editor.current.lineStart(line));
    }, () => setError("the editor could not be loaded"));
    return () => { closed = true; editor.current?.close(); editor.current = null; };
  }, []);
  return html`${error && html`<${Notice} kind="error">${error}<//>`}<div class="editor" ref=${box}></div>`;
}

function ProblemList({ checked, current, onChoose }) {
  const { problems, leftOut, error } = checked;
  const errors = problems.filter((each) => !each.warning).length + leftOut;
  const summary = checked.text === null ? "" : `${plural(errors, "error")}, ${plural(problems.length + leftOut - errors, "warning")}`;
  return html`<section class="found" aria-label="Problems of the text">
    <p class="small bar-line"><span><span role="status">${error ? "" : summary}</span>${!current && " …"}</span>
      <span><span class="keys">Ctrl S</span> reviews · <span class="keys">F8</span> next problem · <span class="keys">Ctrl ]</span> indents</span></p>
    ${error && html`<${Notice} kind="error">${error}<//>`}
    <ul class="problems">${problems.map((each) => html`<li>
      <${Badge} kind=${each.warning ? "warn" : "bad"}>${each.warning ? "warning" : "error"}<//>
      <button type="button" class="quiet place" onClick=${() => onChoose(each)}>${each.line ? `${each.line}:${each.column}` : "file"}</button>
      <span class="text">${each.message}</span><code class="small">${each.code}</code></li>`)}</ul>
    ${leftOut > 0 && html`<p class="small">${plural(leftOut, "further problem")} not shown.</p>`}</section>`;
}
