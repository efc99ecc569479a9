// @ts-check
// Accounts at the platforms, with a form that is made from the provider's own description of its settings.

import { button, facts, field, h, table } from "./parts.js";
import { words } from "./console-words.js";

/** @typedef {import("./console.js").Desk} Desk */

/** @param {Desk} desk */
export async function targets(desk) {
  desk.title(words.say("targets"));
  const [list, providers] = await Promise.all([desk.host.get("/pay/target", desk.of()), desk.host.get("/pay/provider")]);
  const withSettings = providers.filter((/** @type {any} */ one) => Object.keys(one.settings?.properties ?? {}).length > 0);
  const platform = h("select", {}, ...withSettings.map((/** @type {any} */ one) => h("option", { value: one.name }, one.title[words.language] ?? one.name)));
  const name = h("input", { required: true, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", maxlength: 64 });
  return [
    list.length === 0 ? h("p", { class: "quiet" }, words.say("none")) : table(words.say("targets"),
      [words.say("platform"), words.say("name"), words.say("kind"), words.say("version"), words.say("default")],
      list.map((/** @type {any} */ one) => [
        one.platform, h("a", { href: `#target/${one.platform}/${encodeURIComponent(one.name)}` }, one.name),
        one.retired ? words.say("retired") : words.say(one.test ? "test" : "live"), one.version, one.default ? words.say("yes") : "",
      ]), [false, false, false, true]),
    desk.who.role !== "op" && h("form", { class: "row", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      location.hash = `#target/${platform.value}/${encodeURIComponent(name.value)}`;
    } },
      field(words.say("platform"), platform),
      field(words.say("name"), name),
      h("button", { type: "submit" }, words.say("newTarget"))),
  ].filter((part) => part instanceof Node);
}

/**
 * @param {Desk} desk
 * @param {string} path the platform and the name
 */
export async function target(desk, path) {
  const [platform, ...rest] = path.split("/");
  const name = rest.join("/");
  const address = `/pay/target/${platform}/${encodeURIComponent(name)}`;
  desk.title(`${words.say("targets")} · ${platform}/${name}`);
  const [list, providers] = await Promise.all([desk.host.get("/pay/target", desk.of()), desk.host.get("/pay/provider")]);
  const known = list.find((/** @type {any} */ one) => one.platform === platform && one.name === name);
  const now = known && !known.retired ? await desk.host.get(address, desk.of()) : undefined;
  const schema = providers.find((/** @type {any} */ one) => one.name === platform)?.settings ?? { properties: {} };
  const may = desk.who.role !== "op";

  /** @type {{name: string, input: any, kind: string, error: any, without: any}[]} */
  const inputs = Object.entries(schema.properties).map(([name, about]) => {
    const value = now?.settings?.[name];
    const error = h("span", { class: "field-error", id: `error-${name}` });
    const about_ = { "aria-describedby": `error-${name}`, disabled: !may };
    // What is set already stays where the field is left empty.
    const set = Boolean(about.writeOnly && now?.secrets?.includes(name));
    const kept = set ? { placeholder: words.say("kept") } : {};
    const without = set && may && !(schema.required ?? []).includes(name) ? h("input", { type: "checkbox" }) : undefined;
    let input;
    if (about.enum) input = h("select", about_, h("option", { value: "" }, ""), ...about.enum.map((/** @type {string} */ one) => h("option", { value: one, selected: one === value }, one)));
    else if (about.type === "boolean") input = h("input", { ...about_, type: "checkbox", checked: value === true });
    else if (about.writeOnly) input = h((about.maxLength ?? 0) > 200 ? "textarea" : "input", { ...about_, ...kept, type: "password", autocomplete: "off", spellcheck: "false" });
    else if ((about.maxLength ?? 0) > 1000) input = h("textarea", { ...about_, spellcheck: "false" }, value ?? "");
    else input = h("input", { ...about_, value: value ?? "", autocomplete: "off", spellcheck: "false" });
    return { name, input, kind: about.type, error, without };
  });
  const isTest = h("input", { type: "checkbox", checked: now ? now.test : Boolean(desk.who.test), disabled: Boolean(known) || Boolean(desk.who.test) });
  const isDefault = h("input", { type: "checkbox", checked: Boolean(now?.default) });
  const put = () => desk.during(async () => {
    for (const { error } of inputs) error.textContent = "";
    /** @type {Record<string, unknown>} */
    const settings = {};
    for (const { name, input, kind, without } of inputs) {
      if (kind === "boolean") settings[name] = input.checked;
      else if (without?.checked) settings[name] = null;
      else if (input.value !== "") settings[name] = kind === "integer" || kind === "number" ? Number(input.value) : input.value;
    }
    try {
      const query = new URLSearchParams(desk.of());
      await desk.host.put(`${address}?${query}`, { settings, test: isTest.checked, default: isDefault.checked }, desk.page);
    } catch (error) {
      // The host names each field that is wrong.
      const why = String(/** @type {Error} */ (error).message);
      for (const one of inputs) {
        const own = why.split(/;\s*|\n/).find((part) => part.includes(one.name));
        if (own) one.error.textContent = own;
      }
      throw error;
    }
    await desk.again();
    desk.say(words.say("done"));
  });
  return [
    now && facts([words.say("version"), now.version], [words.say("kind"), words.say(now.test ? "test" : "live")],
      [words.say("notify"), now.notify_url && h("span", { class: "mono" }, now.notify_url)]),
    known?.retired && h("p", { class: "quiet" }, words.say("retired")),
    h("form", { class: "fields", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); put(); } },
      ...inputs.map(({ name, input, error, without }) => {
        const about = schema.properties[name];
        const needed = (schema.required ?? []).includes(name) ? " *" : "";
        const field = h("label", {}, h("span", {}, `${about.title ?? name}${needed} `, h("code", {}, name)), input, error);
        return without ? h("div", { class: "fields" }, field, h("label", {}, h("span", {}, without, " ", words.say("without", { name })))) : field;
      }),
      h("label", {}, h("span", {}, isTest, " ", words.say("forTests"))),
      h("label", {}, h("span", {}, isDefault, " ", words.say("isDefault"))),
      now && may && h("p", { class: "quiet" }, words.say("keep")),
      may && h("div", { class: "row" },
        h("button", { type: "submit", class: "first" }, words.say("put")),
        now && button(words.say("probe"), () => desk.during(async () => {
          const said = await desk.host.post(`${address}/test?${new URLSearchParams(desk.of())}`, {}, desk.page);
          desk.say(words.say(said.works ? "works" : "worksNot", { said: said.said }));
        })),
        now && button(words.say("retire"), () => confirm(words.say("confirm", { what: words.say("retire") })) && desk.during(async () => {
          await desk.host.delete(`${address}?${new URLSearchParams(desk.of())}`, desk.page);
          location.hash = "#targets";
        })))),
  ].filter((part) => part instanceof Node);
}
