// @ts-check
// Callbacks: the list, and one with its editor, its dry run and its versions.

import { button, editor, facts, field, h, table } from "./parts.js";
import { words } from "./console-words.js";
import { Refused } from "./host.js";

/** @typedef {import("./console.js").Desk} Desk */

const BEGINNING = `// Runs after a payment became OK. What is returned is kept with it.
kv.set("last", payment.id);
events.emit("paid", { id: payment.id, fee: payment.fee });
return { recorded: true };
`;

/** @param {Desk} desk */
export async function callbacks(desk) {
  desk.title(words.say("callbacks"));
  const list = await desk.host.get("/pay/callback", desk.of());
  const name = h("input", { required: true, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", maxlength: 64 });
  return [
    list.length === 0 ? h("p", { class: "quiet" }, words.say("none")) : table(words.say("callbacks"),
      [words.say("name"), words.say("kind"), words.say("size"), words.say("version")],
      list.map((/** @type {any} */ one) => [
        h("a", { href: `#callback/${one.test ? "test" : "live"}/${encodeURIComponent(one.name)}` }, one.name, one.test ? ` (${words.say("test")})` : ""),
        one.kind, one.len, one.version,
      ]), [false, false, true, true]),
    desk.who.role !== "op" && h("form", { class: "row", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      location.hash = `#callback/${desk.who.test ? "test" : "live"}/${encodeURIComponent(name.value)}`;
    } },
      field(words.say("name"), name),
      h("button", { type: "submit" }, words.say("newCallback"))),
  ].filter((part) => part instanceof Node);
}

/**
 * @param {Desk} desk
 * @param {string} path `live` or `test`, and the name
 */
export async function callback(desk, path) {
  const [kind, ...rest] = path.split("/");
  const name = rest.join("/");
  const of = { ...desk.of(), test: String(kind === "test") };
  desk.title(`${words.say("callbacks")} · ${name}`);
  const address = `/pay/callback/${encodeURIComponent(name)}`;
  let text = BEGINNING;
  /** @type {any[]} */
  let versions = [];
  try {
    text = await content(desk, address, of);
    versions = await desk.host.get(`${address}/versions`, of);
  } catch (error) {
    // A new one begins with an example.
    if (!(error instanceof Refused) || error.status !== 404) throw error;
  }
  const isComponent = text.startsWith("\0asm");
  const desk_ = editor(words.say("content"), isComponent ? "" : text);
  const sample = h("textarea", { spellcheck: "false" });
  const note = h("input", { maxlength: 200 });
  const out = h("div", { id: "dry-run" });

  const body = () => ({
    content_base64: base64(desk_.text),
    ...(sample.value.trim() ? { payment: JSON.parse(sample.value) } : {}),
  });
  /** @param {unknown} error */
  const refused = (error) => {
    if (!(error instanceof Refused)) {
      if (error instanceof SyntaxError) return desk.say(words.say("wrong", { why: error.message, code: words.say("sample") }));
      throw error;
    }
    out.replaceChildren(h("pre", {}, error.message));
    const line = /line (\d+)/.exec(error.message);
    if (line) desk_.mark(Number(line[1]));
    throw error;
  };
  const tryIt = () => desk.during(async () => {
    try {
      const run = await desk.host.post(`/pay/callback/${encodeURIComponent(name)}`, body(), desk.page);
      out.replaceChildren(shown(run));
      desk.say(run.error ? words.say("failed") : words.say("ran"));
    } catch (error) {
      refused(error);
    }
  });
  const save = (/** @type {boolean} */ insist) => desk.during(async () => {
    try {
      const query = new URLSearchParams({ ...of, note: note.value, insist: String(insist) });
      const kept = await desk.host.put(`${address}?${query}`, body(), desk.page);
      out.replaceChildren(shown(kept.dry_run));
      const said = words.say("saved", { n: String(kept.version) });
      await desk.again();
      desk.say(said);
    } catch (error) {
      refused(error);
    }
  });
  const may = desk.who.role !== "op";
  return [
    isComponent ? h("p", { class: "quiet" }, words.say("binary")) : desk_.element,
    !isComponent && may && h("div", {},
      h("div", { class: "row" }, field(words.say("note"), note, "grow"), button(words.say("testRun"), tryIt),
        button(words.say("save"), () => save(false), true), button(words.say("saveAnyway"), () => save(true))),
      h("details", {}, h("summary", {}, words.say("sample")), field(words.say("sample"), sample))),
    out,
    versions.length > 0 && h("section", {}, h("h2", {}, words.say("versions")), table(words.say("versions"),
      [words.say("version"), words.say("ct"), words.say("size"), words.say("note"), ""],
      versions.map((version, at) => [
        version.version, words.time(version.ct ?? version.at ?? version.created_ms ?? 0), version.len, version.note ?? "",
        at === 0 || !may ? "" : button(words.say("rollBack"), () => confirm(words.say("confirm", { what: words.say("rollBack") })) && desk.during(async () => {
          const query = new URLSearchParams(of);
          await desk.host.post(`${address}/roll-back?${query}`, { version: version.version }, desk.page);
          await desk.again();
          desk.say(words.say("done"));
        })),
      ]), [true, false, true])),
    versions.length > 0 && may && h("div", { class: "row" }, button(words.say("remove"), () => confirm(words.say("confirm", { what: words.say("remove") })) && desk.during(async () => {
      await desk.host.delete(`${address}?${new URLSearchParams(of)}`, desk.page);
      location.hash = "#callbacks";
    }))),
  ].filter((part) => part instanceof Node);
}

/**
 * @param {Desk} desk
 * @param {string} address
 * @param {Record<string, string>} of
 */
async function content(desk, address, of) {
  const response = await fetch(desk.host.address(address, of), { cache: "no-store", credentials: "same-origin" });
  if (response.ok) return response.text();
  const said = await response.json();
  throw new Refused(said.errCode, said.msg, response.status);
}

/** @param {string} text */
function base64(text) {
  const bytes = new TextEncoder().encode(text);
  let all = "";
  for (let at = 0; at < bytes.length; at += 8192) all += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(all);
}

/** What a dry run did and cost. */
function shown(/** @type {any} */ run) {
  const part = (/** @type {number} */ used, /** @type {number} */ most) => Math.min(100, Math.ceil((100 * used) / most));
  const cost = (/** @type {string} */ text, /** @type {number} */ used, /** @type {number} */ most) => h("span", {},
    h("meter", { min: 0, max: 100, value: part(used, most), "aria-label": text }), " ", text, " · ", words.say("share", { n: String(part(used, most)) }));
  const limits = run.limits ?? {};
  return h("section", { class: "card" },
    h("h2", {}, run.error ? words.say("failed") : words.say("testRun")),
    facts(
      [words.say("answer"), run.answer && h("pre", {}, String(run.answer))],
      [words.say("error"), run.error && h("pre", {}, String(run.error))],
      [words.say("effects"), (run.kv?.length || run.events?.length) && h("pre", {}, JSON.stringify({ kv: run.kv, events: run.events }, null, 2))],
      [words.say("requests"), run.requests?.length > 0 && h("pre", {}, JSON.stringify(run.requests, null, 2))],
      [words.say("log"), run.log && h("pre", {}, run.log)],
      [words.say("time"), run.micros !== undefined && limits.micros && cost(`${(run.micros / 1000).toFixed(1)} ms`, run.micros, limits.micros)],
      [words.say("memory"), run.memory_bytes !== undefined && limits.memory_bytes && cost(`${(run.memory_bytes / 1048576).toFixed(1)} MiB`, run.memory_bytes, limits.memory_bytes)],
    ));
}
