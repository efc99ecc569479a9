// @ts-check
// The endpoints, as /openapi.json has them, to read.

import { facts, h, table } from "./parts.js";
import { Words } from "./words.js";

const words = new Words({
  zh: {
    title: "接口", language: "语言", filter: "筛选（地址、说明或错误码）", none: "没有符合的接口。",
    failed: "无法读取 openapi.json，请重新加载页面。", parameters: "参数", body: "请求体", answer: "应答", refusals: "拒绝",
    name: "名称", where: "位置", type: "类型", says: "说明", status: "状态码", code: "errCode", example: "示例", required: "必填",
    more: "任意其他字段", found: "{count} 个接口", optional: "可省略",
  },
  en: {
    title: "API", language: "Language", filter: "Filter by address, words or error code", none: "No endpoint is like that.",
    failed: "openapi.json cannot be read; load the page again.", parameters: "Parameters", body: "Body", answer: "Answer", refusals: "Refusals",
    name: "Name", where: "In", type: "Type", says: "Meaning", status: "Status", code: "errCode", example: "Example", required: "required",
    more: "any other member", found: "{count} endpoints", optional: "may be left out",
  },
});

/** Deeper than anybody reads. */
const DEEPEST = 6;

/** @typedef {Record<string, any>} Schema */

/** @param {string} id @returns {any} */
const place = (id) => document.getElementById(id);

/** @type {any} */
let api = null;

/**
 * A text in English with `code` in it, as elements.
 * @param {string} text
 */
function prose(text) {
  const parts = text.replace(/\[(`[^`]+`)\](\([^)]*\))?/g, "$1").split(/`([^`]+)`/);
  return h("span", { lang: "en" }, ...parts.map((part, at) => at % 2 ? h("code", {}, part) : part));
}

/** What stands elsewhere in the document. @param {any} part @returns {any} */
function found(part) {
  return part?.$ref ? part.$ref.slice(2).split("/").reduce((/** @type {any} */ in_, /** @type {string} */ name) => in_[name], api) : part;
}

/** @param {Schema | true | undefined} schema @returns {Schema} */
function resolved(schema) {
  if (!schema || schema === true) return {};
  const name = schema.$ref?.replace("#/components/schemas/", "");
  return name ? { ...api.components.schemas[name], title: name } : schema;
}

/** @param {Schema | true | undefined} given @returns {string} */
function typeOf(given) {
  const schema = resolved(given);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((/** @type {unknown} */ word) => JSON.stringify(word)).join(" | ");
  const either = schema.anyOf ?? schema.oneOf;
  if (either) return [...new Set(either.map(typeOf))].join(" | ");
  if (schema.type === "array") return `[${typeOf(schema.items)}]`;
  if (schema.title && schema.properties) return schema.title;
  return [schema.type ?? "any"].flat().join(" | ");
}

/**
 * The members of an object, and those of what is in it.
 * @param {Schema | true | undefined} given
 * @param {number} [depth]
 * @returns {HTMLElement | null}
 */
function members(given, depth = 0) {
  const schema = resolved(given);
  if (depth > DEEPEST) return null;
  if (schema.type === "array" || schema.items) return members(schema.items, depth);
  const all = [schema, ...[schema.allOf, schema.anyOf, schema.oneOf].flatMap((of) => of ?? [])].map(resolved);
  const lists = all.filter((one) => one.properties || one.items).map((one) => one.properties ? one : resolved(one.items));
  const made = lists.filter((one) => one.properties).map((one) => h("dl", { class: "members" },
    ...Object.entries(one.properties).flatMap(([name, member]) => {
      const inner = resolved(/** @type {Schema} */ (member));
      const says = /** @type {Schema} */ (member).description ?? inner.description;
      return [
        h("dt", {}, h("code", {}, name), " ", h("span", { class: "kind" }, typeOf(/** @type {Schema} */ (member))),
          one.required?.includes(name) ? null : h("span", { class: "kind" }, ` · ${words.say("optional")}`)),
        h("dd", {}, says ? prose(says) : null, members(/** @type {Schema} */ (member), depth + 1)),
      ];
    }),
    one.additionalProperties && one.additionalProperties !== false ? h("dt", {}, "… ", h("span", { class: "kind" }, words.say("more"))) : null));
  return made.length ? h("div", {}, ...made) : null;
}

/**
 * Bodies of some kinds.
 * @param {Record<string, {schema?: Schema, example?: unknown}>} content
 */
function bodies(content) {
  return Object.entries(content).map(([kind, { schema, example }]) => h("div", {},
    h("p", {}, h("code", {}, kind)),
    members(schema),
    example === undefined ? null : h("details", {}, h("summary", {}, words.say("example")),
      h("pre", { tabindex: 0, "aria-label": words.say("example") }, JSON.stringify(example, null, 2)))));
}

/**
 * @param {string} method
 * @param {string} path
 * @param {any} operation
 */
function shown(method, path, operation) {
  const answers = Object.entries(operation.responses);
  const good = answers.filter(([status]) => Number(status) < 400);
  const refusals = answers.filter(([status]) => Number(status) >= 400);
  return h("details", { class: "endpoint", id: operation.operationId },
    h("summary", {}, h("code", { class: "method" }, method.toUpperCase()), " ", h("code", {}, path), " ", prose(operation.summary)),
    h("p", {}, prose(operation.description)),
    operation.parameters ? h("h3", {}, words.say("parameters")) : null,
    operation.parameters ? table(words.say("parameters"), [words.say("name"), words.say("where"), words.say("type"), words.say("says"), words.say("example")],
      operation.parameters.map((/** @type {any} */ one) => [h("code", {}, one.name), one.in, `${typeOf(one.schema)}${one.required ? `, ${words.say("required")}` : ""}`,
        prose(one.description ?? ""), one.example === undefined ? "" : h("code", {}, String(one.example))])) : null,
    operation.requestBody ? h("h3", {}, words.say("body")) : null,
    ...(operation.requestBody ? bodies(operation.requestBody.content) : []),
    h("h3", {}, words.say("answer")),
    ...good.flatMap(([status, answer]) => [facts([status, prose(/** @type {any} */ (answer).description)]), ...bodies(/** @type {any} */ (answer).content ?? {})]),
    refusals.length ? h("h3", {}, words.say("refusals")) : null,
    refusals.length ? table(words.say("refusals"), [words.say("status"), words.say("code"), words.say("says")],
      refusals.flatMap(([status, answer]) => {
        const codes = Object.entries(/** @type {any} */ (answer).content?.["application/json"]?.examples ?? {});
        return codes.length ? codes.map(([code, example]) => [status, h("code", {}, code), prose(found(example).summary)])
          : [[status, "", prose(/** @type {any} */ (answer).description)]];
      })) : null);
}

/** What the reader opened, so that it stays open. */
function opened() {
  return new Set([...document.querySelectorAll("details.endpoint[open]")].map((one) => one.id));
}

function write() {
  words.write();
  if (!api) return;
  const open = opened();
  const wanted = place("filter").value.trim().toLowerCase();
  const all = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(/** @type {any} */ (methods)).map(([method, operation]) => ({ path, method, operation: /** @type {any} */ (operation) })));
  const own = all.filter(({ path, method, operation }) => !wanted
    || `${method} ${path} ${operation.summary} ${JSON.stringify(operation.responses)}`.toLowerCase().includes(wanted));
  place("groups").replaceChildren(...api.tags.map((/** @type {any} */ tag) => {
    const tagged = own.filter(({ operation }) => operation.tags.includes(tag.name));
    return tagged.length ? h("section", { "aria-labelledby": `tag-${tag.name}` },
      h("h2", { id: `tag-${tag.name}`, lang: "en" }, tag.name), h("p", { class: "quiet" }, prose(tag.description)),
      ...tagged.map(({ path, method, operation }) => shown(method, path, operation))) : "";
  }));
  for (const one of document.querySelectorAll("details.endpoint")) {
    if (open.has(one.id)) /** @type {HTMLDetailsElement} */ (one).open = true;
  }
  place("said").textContent = own.length ? words.say("found", { count: String(own.length) }) : words.say("none");
}

async function begin() {
  words.switchedBy(place("language"), write);
  words.write();
  place("filter").addEventListener("input", write);
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error(String(answer.status));
    api = await answer.json();
  } catch {
    place("said").textContent = words.say("failed");
    return;
  }
  place("version").textContent = api.info.version;
  place("about").replaceChildren(...api.info.description.split("\n\n").map((/** @type {string} */ text) => h("p", {}, prose(text))));
  write();
  const named = location.hash.slice(1) && document.getElementById(location.hash.slice(1));
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.scrollIntoView();
  }
}

begin();
