// @ts-check
// One payment with its whole history, and what can be done with it.

import { button, facts, field, h, stateOf, table } from "./parts.js";
import { words } from "./console-words.js";

/** @typedef {import("./console.js").Desk} Desk */
/** @typedef {import("./host.js").Payment} Payment */

/** What the page shows by itself; the rest stands under "other fields". */
const KNOWN = new Set(("id nm tp ct lm brief fee cur price st fail_why test pay_tp pay_target re_tp re_obj re_until buyer_tp buyer_id buyer_nm seller_id seller_nm " +
  "len callback send_at close_at apply_at apply_re expi late refunded overdue held attempts refunds").split(" "));

/**
 * @param {Desk} desk
 * @param {string} id
 */
export async function payment(desk, id) {
  const { host } = desk;
  const place = h("div", {});
  const draw = async () => {
    const [payment, history, evidence, deliveries] = await Promise.all([
      host.get("/pay/ajax/get", { id }),
      host.get("/pay/ajax/history", { id }),
      host.get("/pay/ajax/evidence", { id }),
      host.get("/pay/ajax/deliveries", { id }),
    ]);
    desk.title(`${words.say("details")} · ${payment.brief}`);
    place.replaceChildren(...whole(desk, payment, history, evidence, deliveries, draw));
  };
  await draw();
  let first = true;
  desk.leaving(host.follow(id, () => {
    // The first event is the payment that is on the page already.
    if (first) first = false;
    else draw().catch(() => {});
  }));
  return [place];
}

/**
 * @param {Desk} desk
 * @param {Payment} payment
 * @param {any[]} history
 * @param {any[]} evidence
 * @param {any[]} deliveries
 * @param {() => Promise<void>} draw
 * @returns {Node[]}
 */
function whole(desk, payment, history, evidence, deliveries, draw) {
  const at = (/** @type {number} */ ms) => (ms > 0 ? words.time(ms) : "");
  const others = Object.fromEntries(Object.entries(payment).filter(([name]) => !KNOWN.has(name)));
  const buyer = [payment.buyer_nm, payment.buyer_id].filter(Boolean).join(" · ");
  return [
    payment.held ? held(desk, payment, draw) : "",
    h("div", { class: "columns" },
      h("section", { class: "card" },
        facts(
          [words.say("st"), h("span", {}, stateOf(payment.st), payment.fail_why ? ` ${payment.fail_why}` : "", isEnding(payment) ? ` · ${words.say("ending")}` : "", payment.late ? " (late)" : "", payment.overdue ? " (overdue)" : "")],
          [words.say("fee"), words.amount(payment.fee, payment.cur)],
          [words.say("refunded"), payment.refunded > 0 ? words.amount(payment.refunded, payment.cur) : ""],
          [words.say("brief"), payment.brief],
          [words.say("seller_nm"), payment.seller_nm],
          [words.say("buyer_nm"), buyer],
          [words.say("pay_tp"), [payment.pay_tp, payment.pay_target].filter(Boolean).join(" · ")],
          [words.say("ct"), at(payment.ct)],
          [words.say("sent"), at(payment.send_at)],
          [words.say("closed"), at(payment.close_at)],
          [words.say("expi"), at(payment.expi)],
          [words.say("applied"), at(payment.apply_at)],
          [words.say("result"), payment.apply_re === null ? "" : h("code", {}, JSON.stringify(payment.apply_re))],
          [words.say("id"), h("span", { class: "mono" }, payment.id)],
        ),
        Object.keys(others).length > 0 && h("details", {}, h("summary", {}, words.say("meta")), h("pre", {}, JSON.stringify(others, null, 2))),
        actions(desk, payment, draw)),
      h("section", { class: "card" }, h("h2", {}, words.say("history")), h("ol", { class: "timeline" }, ...history.map(line)))),
    section(words.say("attempts"), payment.attempts, [words.say("trade"), words.say("pay_tp"), words.say("state"), words.say("ct"), words.say("error")],
      (attempt) => [h("span", { class: "mono" }, attempt.trade_no), `${attempt.pay_tp} · ${attempt.pay_target}`, stateOf(attempt.st), at(attempt.ct), attempt.error ?? attempt.fail_why ?? ""]),
    section(words.say("refunds"), payment.refunds, [words.say("fee"), words.say("state"), words.say("reason"), words.say("ct"), words.say("error")],
      (refund) => [words.amount(refund.fee, refund.cur), stateOf(refund.st), refund.reason ?? "", at(refund.ct), refund.error ?? ""]),
    ...stated(evidence),
    ...ran(desk, deliveries, draw),
  ].filter((part) => part instanceof Node);
}

/** Whether it was closed here, and the platform has not closed it yet. */
function isEnding(/** @type {Payment} */ payment) {
  return payment.st === "WAIT" && payment.attempts?.some((/** @type {any} */ attempt) => attempt.ending);
}

/** @param {any} change */
function line(change) {
  const moved = change.from && change.from !== change.to ? h("span", {}, stateOf(change.from), " → ", stateOf(change.to)) : stateOf(change.to);
  const detail = change.detail && Object.keys(change.detail).length > 0;
  return h("li", {},
    h("div", {}, h("strong", {}, change.cause), " ", moved, " ", h("span", { class: "quiet" }, words.time(change.at))),
    change.statement && h("div", { class: "quiet mono" }, `sha256 ${change.statement.slice(0, 16)}…`),
    detail && h("code", {}, JSON.stringify(change.detail)));
}

/**
 * @param {string} title
 * @param {any[]} list
 * @param {string[]} heads
 * @param {(item: any) => (Node | string | number)[]} row
 */
function section(title, list, heads, row) {
  return list.length > 0 && h("section", {}, h("h2", {}, title), table(title, heads, list.map(row)));
}

/**
 * What the platform stated, fact by fact beside what the payment says.
 * @param {any[]} evidence
 */
function stated(evidence) {
  if (evidence.length === 0) return [];
  return [h("section", {}, h("h2", {}, words.say("evidence")), ...evidence.map((stated) => {
    const differs = stated.facts?.some((/** @type {any} */ fact) => fact.verdict === "differs");
    return h("details", { open: differs },
      h("summary", {}, `${words.time(stated.at)} · ${stated.claim} · ${stated.scheme}`, differs && h("span", { class: "st FAIL" }, ` · ${words.say("differs")}`)),
      stated.facts
        ? h("div", { class: "compared" },
          table(words.say("evidence"), [words.say("fact"), words.say("stated"), words.say("expected"), words.say("verdict")], stated.facts.map(compared)))
        : h("p", { class: "quiet" }, words.say("incomparable", { why: stated.incomparable ?? "" })),
      facts([words.say("scheme"), stated.scheme], [words.say("claim"), stated.claim],
        ["sha256", h("span", { class: "mono" }, stated.digest)]),
      h("pre", {}, readable(stated.text)));
  }))];
}

/** @param {any} fact one fact of a statement beside what the payment says */
function compared(fact) {
  const nothing = h("span", { class: "quiet" }, words.say("unstated"));
  return [
    h("span", {}, words.say(/** @type {any} */ (`fact_${fact.name}`)), " ", fact.at && h("code", {}, fact.at)),
    fact.stated === null ? nothing : h("span", {}, h("span", { class: "mono" }, fact.stated), fact.means && ` (${words.say(/** @type {any} */ (`means_${fact.means}`))})`),
    fact.due === null ? "" : h("span", { class: "mono" }, fact.due),
    h("span", { class: `st ${{ same: "OK", differs: "FAIL" }[/** @type {"same" | "differs"} */ (fact.verdict)] ?? ""}` }, words.say(/** @type {any} */ (fact.verdict))),
  ];
}

/** A statement as it is, in lines: JSON and forms are what platforms send. */
function readable(/** @type {string} */ text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return /^[\w.]+=[^\n]*$/.test(text) ? text.split("&").join("\n") : text;
  }
}

/**
 * @param {Desk} desk
 * @param {any[]} deliveries
 * @param {() => Promise<void>} draw
 */
function ran(desk, deliveries, draw) {
  if (deliveries.length === 0) return [];
  return [h("section", {}, h("h2", {}, words.say("deliveries")), ...deliveries.map((delivery) => h("div", { class: "card" },
    facts(
      [words.say("callbacks"), delivery.callback],
      [words.say("state"), stateOf(delivery.state)],
      [words.say("tries"), delivery.tries],
      [words.say("due"), delivery.state === "WAITING" ? words.time(delivery.due) : ""],
      [words.say("error"), delivery.error && h("pre", {}, delivery.error)],
      [words.say("log"), delivery.log && h("pre", {}, delivery.log)],
    ),
    (delivery.state === "DEAD" || delivery.state === "WAITING") && button(words.say("retry"), () => desk.during(async () => {
      await desk.host.post("/pay/ajax/replay", { key: delivery.key }, desk.page);
      await draw();
    })))))];
}

/**
 * @param {Desk} desk
 * @param {Payment} payment
 * @param {() => Promise<void>} draw
 */
function actions(desk, payment, draw) {
  if (desk.who.role === "op") return false;
  const open = payment.st === "NEW" || payment.st === "WAIT";
  const act = (/** @type {string} */ path, /** @type {object} */ body = {}, /** @type {Record<string, string>} */ headers = {}) => desk.during(async () => {
    const answer = await desk.host.post(path, { id: payment.id, ...body }, { ...desk.page, ...headers });
    await draw();
    const waits = /close|reverse/.test(path) && answer.st === "WAIT";
    desk.say(words.say(waits ? "notYet" : "done"));
  });
  const sure = (/** @type {string} */ what, /** @type {() => unknown} */ work) => () => confirm(words.say("confirm", { what })) && work();
  const amount = h("input", { inputmode: "decimal", pattern: "\\d{1,12}([.,]\\d{1,3})?" });
  const reason = h("input", { maxlength: 80 });
  const left = payment.st === "OK" && payment.refunded < payment.fee;
  return h("div", {},
    h("div", { class: "row" },
      payment.st === "WAIT" && button(words.say("ask"), () => act("/pay/ajax/check"), true),
      open && !payment.held && button(words.say("close"), sure(words.say("close"), () => act("/pay/ajax/close"))),
      payment.st === "WAIT" && /\.scan$/.test(payment.pay_tp ?? "") && button(words.say("reverse"), sure(words.say("reverse"), () => act("/pay/ajax/reverse")))),
    left && h("form", { class: "row", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      const fee = minor(amount.value, payment.cur);
      // One click is one refund, however often its request is sent.
      if (confirm(words.say("confirm", { what: words.say("refund") }))) act("/pay/ajax/refund", { ...(fee ? { fee } : {}), reason: reason.value }, { "idempotency-key": crypto.randomUUID?.() ?? `${Date.now()}` });
    } },
      field(words.say("amount"), amount),
      field(words.say("reason"), reason, "grow"),
      h("button", { type: "submit" }, words.say("refund"))));
}

/**
 * An amount in minor units, as digits.
 * @param {string} text
 * @param {string} currency
 */
function minor(text, currency) {
  const read = /^(\d{1,12})(?:[.,](\d{1,3}))?$/.exec(text.trim());
  if (!read) return null;
  const places = words.places(currency);
  if ((read[2] ?? "").length > places) return null;
  return `${read[1]}${(read[2] ?? "").padEnd(places, "0")}`.replace(/^0+(?=\d)/, "");
}

/**
 * @param {Desk} desk
 * @param {Payment} payment
 * @param {() => Promise<void>} draw
 */
function held(desk, payment, draw) {
  const reason = h("input", { maxlength: 200, required: true });
  const decide = (/** @type {string} */ decision) => () => {
    if (!reason.reportValidity()) return;
    desk.during(async () => {
      await desk.host.post("/pay/ajax/resolve", { id: payment.id, decision, reason: reason.value }, desk.page);
      await draw();
      desk.say(words.say("done"));
    });
  };
  return h("section", { class: "card" },
    h("h2", {}, words.say("heldTitle")),
    h("p", {}, words.say("heldText", {
      paid: `${payment.held.paid_text} ${payment.held.paid_currency}`, due: words.amount(payment.fee, payment.cur), why: payment.held.why,
    })),
    desk.who.role !== "op" && h("div", { class: "row" },
      field(words.say("reason"), reason, "grow"),
      button(words.say("accept"), decide("accept"), true),
      button(words.say("giveBack"), decide("refund")),
      button(words.say("dismiss"), decide("dismiss"))));
}
