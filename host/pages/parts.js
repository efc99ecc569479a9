// @ts-check
// What the console's rooms are built from.

/**
 * An element. Its attributes are set as they are, `on…` as listeners, and texts always as texts.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => child instanceof Node ? child : String(child)));
  return made;
}

/**
 * A table that scrolls by itself where it is too wide.
 * @param {string} label
 * @param {string[]} heads
 * @param {(Node | string | number)[][]} rows
 * @param {boolean[]} [numbers] which columns are numbers
 */
export function table(label, heads, rows, numbers = []) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h("table", {},
      h("thead", {}, h("tr", {}, ...heads.map((head, at) => h("th", { scope: "col", class: numbers[at] ? "number" : "" }, head)))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((cell, at) => h("td", { class: numbers[at] ? "number" : "" }, cell)))))));
}

/** @param {[string, Node | string | number | null | undefined | false][]} facts what has no value is left out */
export function facts(...facts) {
  return h("dl", { class: "facts" }, ...facts.filter(([, value]) => value !== null && value !== undefined && value !== false && value !== "")
    .flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/**
 * A field with its name above.
 * @param {string} name
 * @param {any} input
 * @param {string} [more]
 */
export function field(name, input, more = "") {
  return h("label", { class: more }, h("span", {}, name), input);
}

/**
 * @param {string} words
 * @param {() => unknown} work
 * @param {boolean} [first]
 */
export function button(words, work, first = false) {
  return h("button", { type: "button", class: first ? "first" : "", onclick: work }, words);
}

/** @param {string} state */
export function stateOf(state) {
  return h("span", { class: `st ${state}` }, state);
}

const WORDS = new Set(("break case catch class const continue default delete do else export extends false finally for function if import in instanceof let new null of return static super switch this throw true try typeof undefined var void while yield").split(" "));
const TOKENS = /(\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|("(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|`(?:[^`\\]|\\[\s\S])*`?)|(\b\d[\d_.]*(?:e[+-]?\d+)?n?\b)|([A-Za-z_$][\w$]*)/g;

/**
 * JavaScript in colours, for reading. What it means is the host's business.
 * @param {string} text
 */
function coloured(text) {
  const out = document.createDocumentFragment();
  let at = 0;
  for (const found of text.matchAll(TOKENS)) {
    const kind = found[1] ? "c" : found[2] ? "s" : found[3] ? "n" : WORDS.has(found[4]) ? "k" : "";
    if (!kind) continue;
    out.append(text.slice(at, found.index), h("span", { class: kind }, found[0]));
    at = (found.index ?? 0) + found[0].length;
  }
  out.append(text.slice(at), "\n");
  return out;
}

/**
 * An editor for JavaScript: numbered lines, colours, Tab and Enter that indent (Escape, then Tab leaves it).
 * @param {string} label
 * @param {string} text
 */
export function editor(label, text) {
  const lines = h("div", { class: "lines", "aria-hidden": "true" });
  const paint = h("pre", { "aria-hidden": "true" });
  const input = h("textarea", { "aria-label": label, spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off" });
  let wrongLine = 0;
  let leaves = false;
  const draw = () => {
    paint.replaceChildren(coloured(input.value));
    const count = input.value.split("\n").length;
    lines.replaceChildren(...Array.from({ length: count }, (_, at) => at + 1 === wrongLine ? h("b", {}, `${at + 1}\n`) : `${at + 1}\n`));
    follow();
  };
  const follow = () => {
    paint.scrollTop = lines.scrollTop = input.scrollTop;
    paint.scrollLeft = input.scrollLeft;
  };
  /** @param {string} put */
  const put = (put) => {
    input.setRangeText(put, input.selectionStart, input.selectionEnd, "end");
    changed();
  };
  const changed = () => {
    wrongLine = 0;
    draw();
  };
  input.addEventListener("input", changed);
  input.addEventListener("scroll", follow);
  input.addEventListener("blur", () => { leaves = false; });
  input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") leaves = true;
    else if (event.key === "Tab" && !event.shiftKey && !leaves) {
      event.preventDefault();
      put("  ");
    } else if (event.key === "Enter") {
      event.preventDefault();
      const before = input.value.slice(0, input.selectionStart);
      const line = before.slice(before.lastIndexOf("\n") + 1);
      put(`\n${/^\s*/.exec(line)?.[0] ?? ""}${/[{([]\s*$/.test(line) ? "  " : ""}`);
    }
  });
  input.value = text;
  draw();
  return {
    element: h("div", { class: "editor" }, lines, h("div", { class: "sheet" }, paint, input)),
    get text() { return input.value; },
    /** @param {number} line */
    mark(line) {
      wrongLine = line;
      draw();
      const height = input.scrollHeight / Math.max(1, input.value.split("\n").length);
      input.scrollTop = Math.max(0, (line - 5) * height);
      follow();
    },
  };
}
