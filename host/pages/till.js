// @ts-check
// The shop assistant's page: an amount, the buyer's code, the result; the next customer without touching the mouse.

import { Host, Refused, place } from "./host.js";
import { Words } from "./words.js";

/** @typedef {import("./host.js").Payment} Payment */

const words = new Words({
  zh: {
    till: "收银台", language: "语言", test: "测试", signIn: "登录", signOut: "退出", key: "域的 API 密钥",
    keyHint: "密钥以 wk_ 开头，由运营方发放。登录保留十二小时。", amount: "金额", currency: "币种", brief: "说明（可不填）", toCode: "下一步：扫付款码",
    code: "买家的付款码", take: "收款", camera: "用摄像头扫码", cancel: "取消", reverse: "撤销", next: "下一位顾客", sale: "门店收款",
    ok: "收款成功", wait: "等待买家确认", waitText: "还剩 {left} 秒，超时自动撤销。", waitOver: "正在向平台确认结果…", fail: "没有收到款",
    DECLINED: "平台拒绝了这笔付款。", CLOSED: "支付单已关闭。", EXPIRED: "支付单已过期。", REVERSED: "已撤销，没有扣款。",
    held: "金额不符，需人工处理", sending: "正在收款…", reversing: "正在撤销…", badCode: "这不是微信或支付宝的付款码，请重新扫。",
    badAmount: "请输入金额，例如 {example}。", notOffered: "没有可用的{platform}收款账户。", codeRefused: "付款码不可用，请让买家刷新后再扫：{why}",
    offline: "连接不到服务器。请先不要重复收款；恢复后会自动显示结果。", wrong: "没有成功：{why}", ended: "登录已过期，请重新登录。", noDomain: "请用域的密钥登录收银台。",
    today: "今日收款", count: "（{n} 笔）", wx: "微信", zfb: "支付宝", late: "（{late}）", noCamera: "摄像头不可用：{why}",
  },
  en: {
    till: "Till", language: "Language", test: "Test", signIn: "Sign in", signOut: "Sign out", key: "The domain's API key",
    keyHint: "It begins with wk_ and comes from the operator. You stay signed in for twelve hours.", amount: "Amount", currency: "Currency", brief: "What for (optional)",
    toCode: "Next: scan the code", code: "The buyer's payment code", take: "Take the money", camera: "Scan with the camera", cancel: "Cancel",
    reverse: "Undo", next: "Next customer", sale: "Sale at the till",
    ok: "Paid", wait: "Waiting for the buyer to confirm", waitText: "{left} s left; then it is undone by itself.", waitOver: "Asking the platform how it ended…", fail: "Not paid",
    DECLINED: "The platform declined the payment.", CLOSED: "The payment was closed.", EXPIRED: "The payment has expired.", REVERSED: "Undone; nothing was charged.",
    held: "Another amount was paid: somebody has to look at it", sending: "Taking the money…", reversing: "Undoing…",
    badCode: "That is no payment code of WeChat or Alipay: please scan again.", badAmount: "Give an amount such as {example}.",
    notOffered: "There is no {platform} account to be paid to.", codeRefused: "The code is no good; ask the buyer for a new one: {why}",
    offline: "The server cannot be reached. Do not take the money again; the result shows when it is back.", wrong: "That did not work: {why}",
    ended: "You have been signed out: please sign in again.", noDomain: "Sign in to the till with a domain's key.",
    today: "Today:", count: "({n})", wx: "WeChat Pay", zfb: "Alipay", late: "({late})", noCamera: "The camera cannot be used: {why}",
  },
});

/** How long a till payment may be of unknown end before the host undoes it. */
const UNDONE_AFTER = 30_000;

const host = new Host(null);
const page = { "x-walnut-page": "till" };

const KEPT_AS = "walnut.till.currency";

/** @type {Record<string, number>} what money there is, with the decimals of each */
let currencies = { RMB: 2 };
let currency = "RMB";
/** @type {{fee: string, cur: string, brief: string, key: string, id?: string, offers?: any[]} | undefined} the customer at the till */
let sale;
/** @type {Payment | undefined} */
let payment;
/** @type {(() => void) | undefined} */
let unfollow;
let waitingSince = 0;

const sections = ["sign-in", "amount-form", "code-form", "result"];

/** @param {string} id */
function show(id) {
  for (const section of sections) place(section).hidden = section !== id;
  place("sign-out").hidden = id === "sign-in";
  place("takings").hidden = id === "sign-in";
}

/** @param {string} text */
function say(text) {
  place("said").textContent = text;
}

/** @param {unknown} error */
function tell(error) {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401) {
    show("sign-in");
    say(words.say("ended"));
  } else if (error.code === "e.page.offline") {
    say(words.say("offline"));
  } else if (error.code === "e.pay.send.invalid" && sale?.cur === "RMB") {
    say(words.say("codeRefused", { why: error.message }));
  } else {
    say(words.say("wrong", { why: error.message }));
  }
}

/**
 * The amount in minor units. Digits all the way: a number would round.
 * @param {string} text
 */
function minor(text) {
  const read = /^0*(\d{1,9})(?:[.,](\d+))?$/.exec(text.trim());
  const places = currencies[currency];
  if (!read || (read[2] ?? "").length > places) return null;
  const digits = `${read[1]}${(read[2] ?? "").padEnd(places, "0")}`.replace(/^0+/, "");
  return digits === "" ? null : digits;
}

/** An amount as it may be typed. */
function example() {
  const places = currencies[currency];
  return places === 0 ? "2300" : `23.${"50".padEnd(places, "0").slice(0, places)}`;
}

function chooseCurrency() {
  const select = /** @type {HTMLSelectElement} */ (place("currency"));
  currency = select.value;
  place("fee").setAttribute("inputmode", currencies[currency] === 0 ? "numeric" : "decimal");
  try {
    localStorage.setItem(KEPT_AS, currency);
  } catch {
    // Then it holds for this page.
  }
  takings();
}

/** @param {Record<string, number>} known */
function offerCurrencies(known) {
  currencies = known;
  let kept = "RMB";
  try {
    kept = localStorage.getItem(KEPT_AS) ?? kept;
  } catch {
    // Then it is yuan.
  }
  currency = kept in known ? kept : "RMB";
  const select = /** @type {HTMLSelectElement} */ (place("currency"));
  select.replaceChildren(...Object.keys(known).sort().map((code) => new Option(code, code, false, code === currency)));
  place("fee").setAttribute("inputmode", known[currency] === 0 ? "numeric" : "decimal");
}

/**
 * Whose code it is, by its first digits.
 * @param {string} code
 */
function payTypeOf(code) {
  if (/^1[0-5]\d{16}$/.test(code)) return { pay_tp: "wx.scan", platform: "wx" };
  if (/^(2[5-9]|30)\d{14,22}$/.test(code)) return { pay_tp: "zfb.scan", platform: "zfb" };
  return null;
}

function nextCustomer() {
  unfollow?.();
  unfollow = undefined;
  sale = undefined;
  payment = undefined;
  stopCamera();
  for (const id of ["fee", "brief", "code"]) /** @type {HTMLInputElement} */ (place(id)).value = "";
  say("");
  show("amount-form");
  place("fee").focus();
  takings();
}

/** @param {SubmitEvent} event */
function takeAmount(event) {
  event.preventDefault();
  const fee = minor(/** @type {HTMLInputElement} */ (place("fee")).value);
  if (!fee) {
    say(words.say("badAmount", { example: example() }));
    return;
  }
  const brief = /** @type {HTMLInputElement} */ (place("brief")).value.trim() || words.say("sale");
  sale = { fee, cur: currency, brief, key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
  place("due").textContent = words.amount(fee, currency);
  say("");
  show("code-form");
  place("code").focus();
}

/** @param {SubmitEvent} event */
async function takeCode(event) {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (place("code"));
  const code = field.value.replace(/\s/g, "");
  field.value = "";
  const way = payTypeOf(code);
  if (!sale || !way) {
    say(words.say("badCode"));
    field.focus();
    return;
  }
  stopCamera();
  const button = /** @type {HTMLButtonElement} */ (document.querySelector("#code-form [type=submit]"));
  if (button.disabled) return;
  button.disabled = true;
  say(words.say("sending"));
  try {
    if (!sale.id) {
      const body = { fee: `${sale.fee}${sale.cur}`, brief: sale.brief };
      const made = await host.post("/pay/ajax/create", body, { ...page, "idempotency-key": sale.key });
      sale.id = made.id;
      sale.offers = made.pay_types;
    }
    if (!sale.offers?.some((offer) => offer.pay_tp === way.pay_tp)) {
      say(words.say("notOffered", { platform: words.say(/** @type {"wx" | "zfb"} */ (way.platform)) }));
      return;
    }
    waitingSince = Date.now();
    follow(/** @type {string} */ (sale.id));
    await host.post("/pay/ajax/send", { id: sale.id, pay_tp: way.pay_tp, args: [code] }, page);
    say("");
  } catch (error) {
    if (error instanceof Refused && error.code === "e.pay.send.invalid") {
      // The payment is still open: another code may be scanned for it.
      unfollow?.();
      payment = undefined;
      show("code-form");
    }
    tell(error);
  } finally {
    button.disabled = false;
    if (!place("code-form").hidden) field.focus();
  }
}

/** Nobody pays: the payment is closed, where there is one already. */
async function cancel() {
  const id = sale?.id;
  nextCustomer();
  try {
    if (id) await host.post("/pay/ajax/close", { id }, page);
  } catch (error) {
    tell(error);
  }
}

/** @param {string} id */
function follow(id) {
  unfollow?.();
  unfollow = host.follow(id, (changed) => {
    payment = changed;
    draw();
  });
}

function draw() {
  // A code that was refused leaves the payment as it was: the next one is scanned.
  if (!payment || payment.st === "NEW") return;
  /** @type {Record<string, [string, string, "ok" | "wait" | "fail"]>} */
  const looks = { OK: ["is-good", "✓", "ok"], WAIT: ["is-open", "⋯", "wait"], FAIL: ["is-bad", "✕", "fail"] };
  const [kind, mark, title] = looks[payment.st] ?? looks.WAIT;
  const isNew = place("result").hidden || !place("result").classList.contains(kind);
  place("result").className = kind;
  place("mark").textContent = payment.held ? "!" : mark;
  place("result-title").textContent = words.say(payment.held ? "held" : title);
  place("result-amount").textContent = words.amount(payment.fee, payment.cur);
  place("reverse").hidden = payment.st !== "WAIT" || Boolean(payment.held);
  const why = /** @type {"DECLINED" | "CLOSED" | "EXPIRED" | "REVERSED" | undefined} */ (payment.fail_why);
  place("result-text").textContent = why ? words.say(why) : "";
  tick();
  if (!isNew) return;
  show("result");
  say("");
  place(payment.st === "WAIT" ? "reverse" : "next").focus();
  if (payment.st === "OK") takings();
}

function tick() {
  if (!payment || payment.st !== "WAIT" || payment.held) return;
  const left = Math.ceil((waitingSince + UNDONE_AFTER - Date.now()) / 1000);
  place("result-text").textContent = left > 0 ? words.say("waitText", { left: String(left) }) : words.say("waitOver");
}

async function reverse() {
  const button = /** @type {HTMLButtonElement} */ (place("reverse"));
  button.disabled = true;
  say(words.say("reversing"));
  try {
    await host.post("/pay/ajax/reverse", { id: payment?.id }, page);
    say("");
  } catch (error) {
    tell(error);
  } finally {
    button.disabled = false;
  }
}

/** What was paid today, without what went back. */
async function takings() {
  // First the assistant can go on.
  await new Promise((done) => setTimeout(done));
  try {
    const asked = currency;
    let [sum, count, after] = [0n, 0, ""];
    do {
      const found = await host.get("/pay/ajax/query", {
        match: `{st:'OK',ct:'today',cur:'${asked}'}`, limit: "1000", after,
        tz: words.zone,
      });
      for (const paid of found.list) sum += BigInt(paid.fee) - BigInt(paid.refunded);
      count += found.list.length;
      after = found.pager.next;
    } while (after);
    if (asked !== currency) return;
    place("sum").textContent = words.amount(String(sum), asked);
    place("count").textContent = words.say("count", { n: String(count) });
  } catch (error) {
    if (error instanceof Refused && error.status === 401) tell(error);
  }
}

/** @type {MediaStream | undefined} */
let film;

function stopCamera() {
  for (const track of film?.getTracks() ?? []) track.stop();
  film = undefined;
  place("camera").hidden = true;
}

async function useCamera() {
  const video = /** @type {HTMLVideoElement} */ (place("camera"));
  try {
    film = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = film;
    video.hidden = false;
    await video.play();
    const Detector = /** @type {any} */ (window).BarcodeDetector;
    const detector = new Detector({ formats: ["qr_code", "code_128"] });
    while (film) {
      const found = (await detector.detect(video)).find((/** @type {any} */ code) => payTypeOf(code.rawValue));
      if (found) {
        /** @type {HTMLInputElement} */ (place("code")).value = found.rawValue;
        /** @type {HTMLFormElement} */ (place("code-form")).requestSubmit();
        return;
      }
      await new Promise((done) => setTimeout(done, 150));
    }
  } catch (error) {
    stopCamera();
    say(words.say("noCamera", { why: String(/** @type {Error} */ (error).message) }));
  }
}

/** @param {{role: string, domain?: string, test?: boolean, currencies: Record<string, number>}} who */
function welcome(who) {
  if (who.role !== "domain") {
    show("sign-in");
    say(words.say("noDomain"));
    return;
  }
  place("test").hidden = !who.test;
  offerCurrencies(who.currencies);
  place("title").textContent = `${words.say("till")} · ${who.domain}`;
  nextCustomer();
}

/** @param {SubmitEvent} event */
async function signIn(event) {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (place("key"));
  try {
    const who = await host.post("/pay/session", { key: field.value }, page);
    field.value = "";
    welcome(who);
  } catch (error) {
    say(words.say("wrong", { why: /** @type {Error} */ (error).message }));
    field.focus();
  }
}

async function signOut() {
  unfollow?.();
  await fetch("/pay/session", { method: "DELETE", headers: page, credentials: "same-origin" });
  show("sign-in");
  place("key").focus();
}

async function begin() {
  words.write();
  words.switchedBy(place("language"), () => {
    if (sale) place("due").textContent = words.amount(sale.fee, sale.cur);
    draw();
    takings();
  });
  place("sign-in").addEventListener("submit", (event) => signIn(/** @type {SubmitEvent} */ (event)));
  place("amount-form").addEventListener("submit", (event) => takeAmount(/** @type {SubmitEvent} */ (event)));
  place("code-form").addEventListener("submit", (event) => takeCode(/** @type {SubmitEvent} */ (event)));
  place("cancel").addEventListener("click", cancel);
  place("next").addEventListener("click", nextCustomer);
  place("reverse").addEventListener("click", reverse);
  place("sign-out").addEventListener("click", signOut);
  place("currency").addEventListener("change", () => {
    chooseCurrency();
    place("fee").focus();
  });
  place("use-camera").addEventListener("click", useCamera);
  place("use-camera").hidden = !("BarcodeDetector" in window && navigator.mediaDevices);
  setInterval(tick, 1000);
  try {
    welcome(await host.get("/pay/session"));
  } catch (error) {
    show("sign-in");
    place("key").focus();
    if (error instanceof Refused && error.status !== 401) tell(error);
  }
}

begin();
