// An editor for YAML with problems at their places. CodeMirror makes its styles itself, which the policy of the page allows
// in a shadow root only: there they are style sheets that a script constructs, not elements.
import {
  bracketMatching, defaultKeymap, drawSelection, EditorState, EditorView, foldGutter, foldKeymap, highlightActiveLine,
  highlightActiveLineGutter, highlightSelectionMatches, highlightSpecialChars, HighlightStyle, history, historyKeymap,
  indentOnInput, keymap, lineNumbers, lintGutter, lintKeymap, search, searchKeymap, setDiagnostics, syntaxHighlighting, tags,
  yaml,
} from "./vendor/codemirror.mjs";

const COLOURS = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: [tags.string, tags.content, tags.attributeValue], color: "var(--text)" },
  { tag: [tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.keyword, tags.labelName, tags.typeName], color: "var(--violet)" },
  { tag: [tags.lineComment, tags.comment, tags.meta], color: "var(--soft)", fontStyle: "italic" },
  { tag: [tags.separator, tags.punctuation, tags.squareBracket, tags.brace], color: "var(--soft)" },
]);

const mark = (colour) => ({ backgroundImage: "none", textDecoration: `underline wavy ${colour} 1.5px`, textUnderlineOffset: "3px" });
const point = (colour) => ({ content: "normal", width: "8px", height: "8px", margin: "6px 3px 0", borderRadius: "50%", background: colour });

const THEME = EditorView.theme({
  "&": { height: "100%", background: "var(--surface)", color: "var(--text)", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", overflow: "auto" },
  ".cm-content": { caretColor: "var(--text)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { background: "var(--surface)", color: "var(--soft)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine": { background: "color-mix(in srgb, var(--raised) 70%, transparent)" },
  ".cm-activeLineGutter": { background: "var(--raised)", color: "var(--text)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--accent-back)" },
  ".cm-selectionMatch, .cm-searchMatch": { background: "var(--warn-back)" },
  ".cm-searchMatch-selected": { background: "var(--warn-back)", outline: "1px solid var(--warn)" },
  "&.cm-focused .cm-matchingBracket": { background: "var(--accent-back)" },
  ".cm-foldPlaceholder": { background: "var(--raised)", border: "1px solid var(--line)", color: "var(--soft)" },
  ".cm-lintRange-error": mark("var(--bad)"),
  ".cm-lintRange-warning": mark("var(--warn)"),
  ".cm-lintRange-active": { background: "var(--raised)" },
  ".cm-lint-marker": { width: "14px" },
  ".cm-lint-marker-error": point("var(--bad)"),
  ".cm-lint-marker-warning": point("var(--warn)"),
  ".cm-tooltip": { background: "var(--surface)", border: "1px solid var(--line)", borderRadius: "var(--round)", maxWidth: "min(640px, 90vw)" },
  ".cm-diagnostic": { padding: "4px 10px", whiteSpace: "pre-wrap", fontFamily: "system-ui, sans-serif" },
  ".cm-diagnostic-error": { borderLeft: "4px solid var(--bad)" },
  ".cm-diagnostic-warning": { borderLeft: "4px solid var(--warn)" },
  ".cm-panels": { background: "var(--raised)", color: "var(--text)", borderColor: "var(--line)" },
  ".cm-panel.cm-panel-lint ul [aria-selected]": { background: "var(--accent-back)" },
  ".cm-textfield, .cm-button": { background: "var(--surface)", backgroundImage: "none", border: "1px solid var(--line)", color: "var(--text)", borderRadius: "4px" },
});

/** Show a text in an element; `onChange` receives each later text, and `onReview` is called by Ctrl+S. */
export function openEditor(element, { text, label, onChange, onReview }) {
  const root = element.attachShadow({ mode: "open" });
  const review = () => { onReview(); return true; };
  const extensions = [
    lineNumbers(), lintGutter(), foldGutter(), history(), drawSelection(), highlightSpecialChars(), indentOnInput(),
    bracketMatching(), highlightActiveLine(), highlightActiveLineGutter(), highlightSelectionMatches(), search({ top: true }),
    yaml(), syntaxHighlighting(COLOURS), THEME,
    EditorState.tabSize.of(2),
    EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
    EditorView.updateListener.of((update) => { if (update.docChanged) onChange(update.state.doc.toString()); }),
    // Tab leaves the editor, as on the rest of the page; Ctrl and ] indents.
    keymap.of([{ key: "Mod-s", run: review }, ...lintKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...defaultKeymap]),
  ];
  const view = new EditorView({ root, parent: root, state: EditorState.create({ doc: text, extensions }) });
  return {
    /** Mark the problems of the text as it is now. */
    setProblems(problems) {
      const end = view.state.doc.length;
      view.dispatch(setDiagnostics(view.state, problems.map((each) => ({
        from: Math.min(each.start, end),
        to: Math.min(each.end, end),
        severity: each.warning ? "warning" : "error",
        message: each.message,
      }))));
    },
    /** Move the cursor to a position, and to the editor. */
    reveal(position) {
      const anchor = Math.min(position, view.state.doc.length);
      view.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: "center" }) });
      view.focus();
    },
    focus: () => view.focus(),
    /** Return the position at which a line begins. */
    lineStart: (line) => view.state.doc.line(Math.max(1, Math.min(line, view.state.doc.lines))).from,
    close: () => view.destroy(),
  };
}
