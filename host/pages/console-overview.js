// @ts-check
// The last day and month in figures and charts.

import { h, facts, table } from "./parts.js";
import { words } from "./console-words.js";

/** @typedef {import("./console.js").Desk} Desk */
/** @typedef {{at: number, pay_tp: string, cur: string, st: string, count: number, fee: number, refunded: number, took_ms: number, took: number}} Sum */

const HOUR = 3_600_000;
const SVG = "http://www.w3.org/2000/svg";

/** @param {Desk} desk */
export async function overview(desk) {
  desk.title(words.say("overview"));
  const now = Date.now();
  const spans = [
    { title: words.say("lastDay"), step: HOUR, count: 24 },
    { title: words.say("lastMonth"), step: 24 * HOUR, count: 30 },
  ];
  const again = setInterval(() => { if (!document.hidden) desk.again(); }, 60_000);
  desk.leaving(() => clearInterval(again));
  const waiting = await counted(desk, "st:WAIT");
  const held = await counted(desk, "held:true");
  const cards = await Promise.all(spans.map(async ({ title, step, count }) => {
    // Up to the end of the present step, so that the last bar is the one that grows.
    const until = Math.floor(now / step) * step + step;
    const from = until - step * count;
    /** @type {Sum[]} */
    const sums = await desk.host.get("/pay/ajax/summary", { ...desk.of(), from: String(from), until: String(until), step: String(step) });
    return card(title, sums, from, step, count);
  }));
  return [
    h("dl", { class: "figures" },
      h("div", {}, h("dt", {}, words.say("waitingNow")), h("dd", {}, h("a", { href: "#payments/st:WAIT" }, waiting))),
      h("div", {}, h("dt", {}, words.say("held")), h("dd", {}, h("a", { href: "#payments/held:true" }, held)))),
    h("div", { class: "columns" }, ...cards),
  ];
}

/**
 * @param {Desk} desk
 * @param {string} match
 */
async function counted(desk, match) {
  const whose = desk.of().domain ? `,seller_nm:'${desk.of().domain}'` : "";
  const found = await desk.host.get("/pay/ajax/query", { match: `{${match}${whose}}`, limit: "1", pager: "true" });
  return found.pager.total;
}

/**
 * @param {string} title
 * @param {Sum[]} sums
 * @param {number} from
 * @param {number} step
 * @param {number} count
 */
function card(title, sums, from, step, count) {
  const paid = sums.filter((sum) => sum.st === "OK");
  // What still waits has not failed, and what was never sent was never tried.
  const ended = sums.filter((sum) => sum.st === "OK" || (sum.st === "FAIL" && sum.pay_tp));
  const currencies = [...new Set(paid.map((sum) => sum.cur))];
  const money = currencies.map((cur) => words.amount(String(paid.filter((sum) => sum.cur === cur).reduce((all, sum) => all + BigInt(sum.fee), 0n)), cur));
  const number = (/** @type {Sum[]} */ list) => list.reduce((all, sum) => all + sum.count, 0);
  const rate = (/** @type {Sum[]} */ list) => {
    const all = number(list);
    return all === 0 ? "–" : `${Math.round((100 * number(list.filter((sum) => sum.st === "OK"))) / all)}%`;
  };
  const took = paid.reduce((all, sum) => all + sum.took, 0);
  const tookMs = paid.reduce((all, sum) => all + sum.took_ms, 0);
  const ways = [...new Set(ended.map((sum) => sum.pay_tp))].sort();
  return h("section", { class: "card", "aria-label": title },
    h("h2", {}, title),
    facts(
      [words.say("paidSum"), money.join(" + ") || "–"],
      [words.say("paidCount"), number(paid)],
      [words.say("successRate"), rate(ended)],
      [words.say("timeToPaid"), took === 0 ? "–" : words.say("seconds", { n: (tookMs / took / 1000).toFixed(1) })],
    ),
    chart(title, sums, from, step, count),
    ways.length > 0 && table(`${title}: ${words.say("byWay")}`, [words.say("way"), words.say("paidCount"), words.say("successRate")], ways.map((way) => {
      const own = ended.filter((sum) => sum.pay_tp === way);
      return [way, words.say("of", { a: String(number(own.filter((sum) => sum.st === "OK"))), b: String(number(own)) }), rate(own)];
    }), [false, true, true]));
}

/**
 * Bars: what was paid, and above it what was not.
 * @param {string} title
 * @param {Sum[]} sums
 * @param {number} from
 * @param {number} step
 * @param {number} count
 */
function chart(title, sums, from, step, count) {
  const bars = Array.from({ length: count }, () => ({ good: 0, rest: 0 }));
  for (const sum of sums) {
    const bar = bars[Math.round((sum.at - from) / step)];
    if (bar) bar[sum.st === "OK" ? "good" : "rest"] += sum.count;
  }
  const most = Math.max(1, ...bars.map((bar) => bar.good + bar.rest));
  const [width, height, foot] = [600, 140, 24];
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height + foot}`);
  svg.setAttribute("class", "chart");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", words.say("chart", { title }));
  const wide = width / count;
  const put = (/** @type {string} */ name, /** @type {Record<string, string | number>} */ attributes, text = "") => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
    made.textContent = text;
    svg.append(made);
  };
  bars.forEach((bar, at) => {
    const good = (bar.good / most) * height;
    const rest = (bar.rest / most) * height;
    put("rect", { class: "bar-rest", x: at * wide + 1, width: wide - 2, y: height - good - rest, height: rest });
    put("rect", { class: "bar-good", x: at * wide + 1, width: wide - 2, y: height - good, height: good });
  });
  const short = new Intl.DateTimeFormat(words.locale, step < 24 * HOUR ? { hour: "2-digit", minute: "2-digit" } : { month: "numeric", day: "numeric" });
  for (const at of [0, Math.floor(count / 2), count - 1]) {
    const anchor = at === 0 ? "start" : at === count - 1 ? "end" : "middle";
    put("text", { x: at === 0 ? 1 : at === count - 1 ? width - 1 : (at + 0.5) * wide, y: height + 18, "text-anchor": anchor }, short.format(from + at * step));
  }
  put("text", { x: 1, y: 16 }, String(most));
  return svg;
}
