/**
 * The editor of a znode's text: CodeMirror in the page's own colours. Loaded only once something is edited.
 *
 * It knows text and nothing of znodes. The Tab key leaves it, as it leaves any field.
 */
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json, jsonParseLinter } from "@codemirror/lang-json";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { linter, lintGutter } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export interface TextEditor {
  readonly text: string;
  /** Puts another text in its place, and the cursor where it was, as far as that still is. */
  show(text: string): void;
  freeze(isFrozen: boolean): void;
  focus(): void;
  end(): void;
}

export interface TextEditorOptions {
  readonly text: string;
  readonly label: string;
  readonly isJson: boolean;
  readonly onInput: (text: string) => void;
  /** Ctrl-S or ⌘S. */
  readonly onSave: () => void;
  readonly onEscape: () => void;
}

const theme = EditorView.theme({
  "&": { border: "1px solid var(--line)", borderRadius: "var(--radius)", background: "var(--surface)", color: "var(--text)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
  ".cm-scroller": { font: "var(--small) / 1.6 var(--mono)", minHeight: "14rem", maxHeight: "60vh", overflow: "auto" },
  ".cm-content": { caretColor: "var(--text)", padding: "var(--s2) 0" },
  ".cm-gutters": { background: "var(--surface)", color: "var(--muted)", border: "0" },
  ".cm-activeLine": { background: "color-mix(in srgb, var(--raised) 60%, transparent)" },
  "&.cm-focused .cm-matchingBracket": { background: "var(--selected)", outline: "1px solid var(--accent)" },
  ".cm-selectionMatch": { background: "var(--selected)" },
  ".cm-panels": { background: "var(--raised)", color: "var(--text)" },
  ".cm-tooltip": { background: "var(--raised)", color: "var(--text)", border: "1px solid var(--line)" },
});

const colours = HighlightStyle.define([
  { tag: tags.propertyName, color: "var(--accent)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--warn)" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

export function createTextEditor(place: HTMLElement, options: TextEditorOptions): TextEditor {
  const frozen = new Compartment();
  const froze = (isFrozen: boolean): Extension => [EditorState.readOnly.of(isFrozen), EditorView.editable.of(!isFrozen)];
  const keys = [
    {
      key: "Mod-s",
      preventDefault: true,
      run: () => {
        options.onSave();
        return true;
      },
    },
    ...defaultKeymap,
    ...historyKeymap,
    ...searchKeymap,
    {
      key: "Escape",
      run: () => {
        options.onEscape();
        return true;
      },
    },
  ];
  let isShowing = false;
  // Made once for each change: a mebibyte of text is not joined again to be compared.
  let { text } = options;
  const view = new EditorView({
    parent: place,
    root: place.getRootNode() as ShadowRoot,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        keymap.of(keys),
        history(),
        lineNumbers(),
        highlightActiveLine(),
        highlightSelectionMatches(),
        bracketMatching(),
        indentOnInput(),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": options.label, spellcheck: "false" }),
        ...(options.isJson ? [json(), linter(jsonParseLinter()), lintGutter()] : []),
        syntaxHighlighting(colours),
        theme,
        frozen.of(froze(false)),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          text = update.state.doc.toString();
          if (!isShowing) options.onInput(text);
        }),
      ],
    }),
  });
  return {
    get text() {
      return text;
    },
    show: (other) => {
      isShowing = true;
      const { main } = view.state.selection;
      const anchor = Math.min(main.anchor, other.length);
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: other }, selection: { anchor } });
      isShowing = false;
    },
    freeze: (isFrozen) => view.dispatch({ effects: frozen.reconfigure(froze(isFrozen)) }),
    focus: () => view.focus(),
    end: () => view.destroy(),
  };
}
