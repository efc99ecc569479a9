// @ts-check
// The operator's room: domains with their keys, and the providers.

import { button, facts, field, h, table } from "./parts.js";
import { words } from "./console-words.js";

/** @typedef {import("./console.js").Desk} Desk */

/** @param {Desk} desk */
export async function domains(desk) {
  desk.title(words.say("domains"));
  const [list, providers] = await Promise.all([desk.host.get("/pay/domain"), desk.host.get("/pay/provider")]);
  const may = desk.who.role === "root";
  const picked = desk.domain();
  const name = h("input", { required: true, maxlength: 64 });
  return [
    table(words.say("domains"), [words.say("name"), words.say("ct"), words.say("web")],
      list.map((/** @type {any} */ one) => [one.name, words.time(one.ct), one.web.join(", ")])),
    may && h("form", { class: "row", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      desk.during(async () => {
        await desk.host.post("/pay/domain", { name: name.value }, desk.page);
        location.reload();
      });
    } },
      field(words.say("name"), name),
      h("button", { type: "submit" }, words.say("addDomain"))),
    picked ? await keys(desk, picked, may) : h("p", { class: "quiet" }, words.say("pickDomain")),
    h("section", {}, h("h2", {}, words.say("providers")), ...providers.map((/** @type {any} */ one) => h("details", {},
      h("summary", {}, `${one.title[words.language] ?? one.name} · ${one.name} ${one.version}`),
      facts(["sha256", h("span", { class: "mono" }, one.digest)], [words.say("way"), one.pay_types.join(", ")]),
      h("pre", {}, Array.isArray(one.words) ? one.words.join("\n") : String(one.words))))),
  ].filter((part) => part instanceof Node);
}

/**
 * @param {Desk} desk
 * @param {string} domain
 * @param {boolean} may
 */
async function keys(desk, domain, may) {
  const address = `/pay/domain/${encodeURIComponent(domain)}/key`;
  const list = await desk.host.get(address);
  const issued = h("p", { class: "mono" });
  const issue = (/** @type {boolean} */ test) => () => desk.during(async () => {
    const made = await desk.host.post(address, { test }, desk.page);
    issued.textContent = words.say("shownOnce", { key: made.key });
  });
  return h("section", {}, h("h2", {}, `${words.say("keys")} · ${domain}`),
    table(words.say("keys"), [words.say("id"), words.say("kind"), words.say("ct"), ""], list.map((/** @type {any} */ key) => [
      h("span", { class: "mono" }, key.id), words.say(key.test ? "test" : "live"), words.time(key.ct),
      may ? button(words.say("revoke"), () => confirm(words.say("confirm", { what: words.say("revoke") })) && desk.during(async () => {
        await desk.host.delete(`/pay/key/${key.id}`, desk.page);
        await desk.again();
      })) : "",
    ])),
    may && h("div", { class: "row" }, button(words.say("newKey"), issue(false)), button(words.say("newTestKey"), issue(true))),
    issued);
}
