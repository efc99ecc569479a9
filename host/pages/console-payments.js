// @ts-check
// Payments that match, as they change.

import { button, field, h, stateOf, table } from "./parts.js";
import { words } from "./console-words.js";

/** @typedef {import("./console.js").Desk} Desk */
/** @typedef {import("./host.js").Payment} Payment */

const PAGE = 50;
/** What changes within that time is looked at together. */
const TOGETHER = 300;
/** Columns that can be shown, in their order; the id is always there. */
const COLUMNS = /** @type {const} */ (["ct", "brief", "fee", "st", "pay_tp", "pay_target", "buyer_nm", "seller_nm", "lm"]);
const KEPT_AS = "walnut.columns";

/** @returns {string[]} */
function shown() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT_AS) ?? "null");
    if (Array.isArray(kept)) return kept;
  } catch {
    // Then the usual ones.
  }
  return ["ct", "brief", "fee", "st", "pay_tp", "buyer_nm"];
}

/**
 * @param {Desk} desk
 * @param {string} match
 */
export async function payments(desk, match) {
  desk.title(words.say("payments"));
  const columns = shown();
  const input = h("input", { value: match, placeholder: words.say("filterHint"), spellcheck: "false", autocapitalize: "off" });
  const list = h("div", { id: "list" });
  const foot = h("div", { class: "row" });
  const live = h("input", { type: "checkbox", checked: true, onchange: () => soon() });

  /** @param {string} after */
  const ask = (after) => {
    const whose = desk.of().domain;
    // What is typed is the inside of an object, as on the command line.
    const typed = match.trim().replace(/^\{|\}$/g, "");
    const all = [typed, whose ? `seller_nm:'${whose}'` : ""].filter(Boolean).join(",");
    return desk.host.get("/pay/ajax/query", {
      match: `{${all}}`, limit: String(PAGE), after, tz: words.zone,
    });
  };
  let after = "";
  let drawn = "";
  const look = async () => {
    const found = await ask(after);
    const now = JSON.stringify([found, columns]);
    if (now === drawn) return;
    drawn = now;
    draw(found.list);
    foot.replaceChildren(
      after && button(words.say("newest"), () => desk.during(async () => {
        after = "";
        live.checked = true;
        await look();
      })) || "",
      found.pager.next && button(words.say("more"), () => desk.during(async () => {
        after = found.pager.next;
        live.checked = false;
        await look();
      })) || "",
      button(words.say("csv"), () => desk.during(() => save(ask))),
    );
  };
  /** @param {Payment[]} payments */
  const draw = (payments) => {
    list.replaceChildren(payments.length === 0 ? h("p", { class: "quiet" }, words.say("none")) : table(
      words.say("payments"),
      [words.say("id"), ...columns.map((name) => words.say(/** @type {any} */ (name)))],
      payments.map((payment) => [
        h("a", { href: `#payment/${payment.id}`, class: "mono" }, payment.id.slice(0, 8), "…", payment.id.slice(-6)),
        ...columns.map((name) => cell(payment, name)),
      ]),
      [false, ...columns.map((name) => name === "fee")],
    ));
  };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let due;
  const soon = () => {
    if (live.checked && !document.hidden) due ??= setTimeout(() => {
      due = undefined;
      // A broken connection is told by whatever is done next.
      look().catch(() => {});
    }, TOGETHER);
  };
  await look();
  const unfollow = desk.host.followAll(desk.of(), soon);
  document.addEventListener("visibilitychange", soon);
  desk.leaving(() => {
    unfollow();
    clearTimeout(due);
    document.removeEventListener("visibilitychange", soon);
  });

  const picks = h("details", {}, h("summary", {}, words.say("columns")), h("div", { class: "row" }, ...COLUMNS.map((name) => {
    const tick = h("input", { type: "checkbox", checked: columns.includes(name), onchange: () => {
      columns.splice(0, columns.length, ...COLUMNS.filter((other) => (other === name ? tick.checked : columns.includes(other))));
      try {
        localStorage.setItem(KEPT_AS, JSON.stringify(columns));
      } catch {
        // Then it holds for now.
      }
      desk.during(look);
    } });
    return h("label", {}, tick, " ", words.say(name));
  })));
  return [
    h("form", { class: "row", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      const to = `#payments/${encodeURIComponent(input.value.trim())}`;
      if (location.hash === to) desk.again();
      else location.hash = to;
    } },
      field(words.say("filter"), input, "grow"),
      h("button", { type: "submit", class: "first" }, words.say("apply")),
      h("label", {}, live, " ", words.say("following"))),
    picks,
    list,
    foot,
  ];
}

/**
 * @param {Payment} payment
 * @param {string} name
 */
function cell(payment, name) {
  switch (name) {
    case "fee": return words.amount(payment.fee, payment.cur);
    case "st": return payment.held ? h("span", { class: "st held" }, `${payment.st} · ${words.say("held")}`) : stateOf(payment.st);
    case "ct": case "lm": return words.time(payment[name]);
    default: return payment[name] ?? "";
  }
}

/**
 * All that match, as a file.
 * @param {(after: string) => Promise<any>} ask
 */
async function save(ask) {
  const names = ["id", "ct", "lm", "brief", "fee", "cur", "st", "fail_why", "refunded", "pay_tp", "pay_target", "buyer_tp", "buyer_id", "buyer_nm", "seller_nm"];
  const lines = [names.join(",")];
  let after = "";
  do {
    const found = await ask(after);
    for (const payment of found.list) lines.push(names.map((name) => quoted(payment[name])).join(","));
    after = found.pager.next;
  } while (after);
  const file = new Blob(["\ufeff", lines.join("\r\n"), "\r\n"], { type: "text/csv" });
  const link = h("a", { href: URL.createObjectURL(file), download: "payments.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
}

/** A text that a spreadsheet would take for a formula gets an apostrophe. */
function quoted(/** @type {unknown} */ value) {
  let text = value === null || value === undefined ? "" : String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
