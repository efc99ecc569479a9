// @ts-check
// The owner's and the operator's page: signing in, and the rooms.

import { Host, Refused, place } from "./host.js";
import { h } from "./parts.js";
import { words } from "./console-words.js";
import { overview } from "./console-overview.js";
import { payments } from "./console-payments.js";
import { payment } from "./console-payment.js";
import { callbacks, callback } from "./console-callbacks.js";
import { targets, target } from "./console-targets.js";
import { domains } from "./console-operator.js";

/**
 * What a room is given.
 * @typedef {object} Desk
 * @property {Host} host
 * @property {Record<string, string>} page the header of requests that change something
 * @property {{role: string, domain?: string, test?: boolean}} who
 * @property {() => string | undefined} domain whose things are looked at; none for all
 * @property {() => Record<string, string>} of the same as a query
 * @property {(text: string) => void} say
 * @property {(work: () => Promise<unknown>) => Promise<void>} during does it, and says what was refused
 * @property {() => void} again draws the room once more
 * @property {(end: () => void) => void} leaving what to do when the room is left
 * @property {(text: string) => void} title
 */

const host = new Host(null);
const page = { "x-walnut-page": "console" };

/** @type {Desk["who"] | undefined} */
let who;
/** @type {(() => void)[]} */
let endings = [];
let drawing = 0;

/** The rooms, by the first word behind the `#`. */
/** @type {Record<string, {draw: (desk: Desk, name: string) => Promise<Node[]>, menu?: "overview" | "payments" | "callbacks" | "targets" | "domains", operator?: boolean, domain?: boolean}>} */
const rooms = {
  overview: { draw: overview, menu: "overview" },
  payments: { draw: payments, menu: "payments" },
  payment: { draw: payment },
  callbacks: { draw: callbacks, menu: "callbacks", domain: true },
  callback: { draw: callback, domain: true },
  targets: { draw: targets, menu: "targets", domain: true },
  target: { draw: target, domain: true },
  domains: { draw: domains, menu: "domains", operator: true },
};

/** @param {string} text */
function say(text) {
  place("said").textContent = text;
}

/** @param {unknown} error */
function tell(error) {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401) {
    who = undefined;
    welcome();
    say(words.say("ended"));
    return;
  }
  say(error.code === "e.page.offline" ? words.say("offline") : words.say("wrong", { why: error.message, code: error.code }));
}

/** @param {() => Promise<unknown>} work */
async function during(work) {
  const buttons = /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll("main button")]);
  for (const button of buttons) button.disabled = true;
  try {
    await work();
  } catch (error) {
    tell(error);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

function domain() {
  if (who?.role === "domain") return who.domain;
  return /** @type {HTMLSelectElement} */ (place("domain")).value || undefined;
}

async function draw() {
  if (!who) return;
  const mine = ++drawing;
  for (const end of endings.splice(0)) end();
  const [word, ...rest] = location.hash.slice(1).split("/");
  const name = rest.map(decodeURIComponent).join("/");
  const room = rooms[word] ?? rooms.overview;
  menu(word in rooms ? word : "overview");
  /** @type {Desk} */
  const desk = {
    host, page, who, domain, say, during, again: draw,
    of: () => (who?.role === "domain" || !domain() ? {} : { domain: /** @type {string} */ (domain()) }),
    leaving: (end) => { endings.push(end); },
    title: (text) => {
      place("title").textContent = text;
      document.title = `${text} · Walnut`;
    },
  };
  say("");
  try {
    const parts = room.domain && !domain() ? [h("p", { class: "quiet" }, words.say("pickDomain"))] : await room.draw(desk, name);
    if (mine !== drawing) return;
    place("room").replaceChildren(...parts);
  } catch (error) {
    if (mine === drawing) {
      place("room").replaceChildren();
      tell(error);
    }
  }
}

/** @param {string} now */
function menu(now) {
  const links = Object.entries(rooms)
    .filter(([, room]) => room.menu && (!room.operator || who?.role !== "domain"))
    .map(([name, room]) => h("a", { href: `#${name}`, "aria-current": now === name || now === name.slice(0, -1) ? "page" : null },
      words.say(/** @type {any} */ (room.menu))));
  place("rooms").replaceChildren(...links);
}

async function welcome() {
  const known = Boolean(who);
  place("sign-in").hidden = known;
  place("rooms").hidden = place("sign-out").hidden = !known;
  place("domain-label").hidden = !known || who?.role === "domain";
  place("test").hidden = !who?.test;
  place("who").textContent = who ? who.domain ?? who.role : "";
  if (!who) {
    place("room").replaceChildren();
    place("title").textContent = words.say("console");
    place("key").focus();
    return;
  }
  if (who.role !== "domain") {
    const all = await host.get("/pay/domain");
    place("domain").replaceChildren(h("option", { value: "" }, words.say("allDomains")),
      ...all.map((/** @type {any} */ one) => h("option", { value: one.name }, one.name)));
  }
  await draw();
}

/** @param {SubmitEvent} event */
async function signIn(event) {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (place("key"));
  try {
    who = await host.post("/pay/session", { key: field.value }, page);
    field.value = "";
    say("");
    await welcome();
    place("title").focus();
  } catch (error) {
    say(words.say("wrong", { why: /** @type {Error} */ (error).message, code: "" }));
    field.focus();
  }
}

async function signOut() {
  await fetch("/pay/session", { method: "DELETE", headers: page, credentials: "same-origin" });
  for (const end of endings.splice(0)) end();
  who = undefined;
  await welcome();
}

async function begin() {
  words.write();
  words.switchedBy(place("language"), draw);
  place("sign-in").addEventListener("submit", (event) => signIn(/** @type {SubmitEvent} */ (event)));
  place("sign-out").addEventListener("click", signOut);
  place("domain").addEventListener("change", draw);
  addEventListener("hashchange", async () => {
    await draw();
    place("title").focus();
  });
  try {
    who = await host.get("/pay/session");
  } catch (error) {
    if (error instanceof Refused && error.status !== 401) tell(error);
  }
  await welcome();
}

begin();
