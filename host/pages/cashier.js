// @ts-check
// The buyer's page of one payment: choose how to pay, pay, see how it ended.

import { Host, Refused, place } from "./host.js";
import { Words } from "./words.js";

/** @typedef {import("./host.js").Payment} Payment */
/** @typedef {import("./host.js").Way} Way */

const words = new Words({
  zh: {
    payment: "付款", language: "语言", test: "测试", choose: "选择付款方式", noWays: "这张支付单在此处没有可用的付款方式，请联系商家。",
    seller: "收款方：{seller}", iHavePaid: "我已付款", another: "换一种方式", back: "返回商家",
    scanWith: "请用手机扫描二维码完成付款", qrcode: "付款二维码", open: "前往付款页面", opened: "付款页面会在新窗口打开；付完后本页会自动更新。",
    inWeChat: "请在微信中确认付款", call: "调起微信支付", notInWeChat: "请在微信中打开本页面。", frame: "付款页面",
    left: "剩余付款时间 {left}", over: "付款时间已到，正在向平台确认结果…", sending: "正在下单…", asking: "正在向平台查询…",
    notYet: "平台还没有收到付款。付完后请稍等，本页会自动更新。", paid: "付款成功", paidText: "{amount} · {time}",
    late: "付款成功（到账时间晚于截止时间）", refunded: "已退款 {amount}", failed: "未付款", expired: "支付已过期，没有扣款。请回到商家重新下单。",
    closed: "支付单已关闭，没有扣款。", declined: "平台拒绝了这笔付款，没有扣款。", reversed: "这笔付款已撤销，没有扣款。",
    held: "付款正在人工核对", heldText: "平台报告的金额与支付单不符，商家会处理。请不要重复付款。",
    offline: "连接不到服务器，正在重试…", noTicket: "链接不完整或已失效：请回到商家重新打开。", cannotSwitch: "上一种方式的付款码仍然有效，暂时不能更换。再选一次该方式即可看到付款码。",
    unknown: "平台暂时没有答复；请不要重复付款，本页会自动更新。", wrong: "操作没有成功：{why}", newCode: "重新获取付款码",
  },
  en: {
    payment: "Payment", language: "Language", test: "Test", choose: "Choose how to pay", noWays: "There is no way to pay this here. Please ask the seller.",
    seller: "To {seller}", iHavePaid: "I have paid", another: "Pay another way", back: "Back to the seller",
    scanWith: "Scan the code with your phone to pay", qrcode: "Payment QR code", open: "Go to the payment page",
    opened: "It opens in a new window; this page follows by itself.",
    inWeChat: "Confirm the payment in WeChat", call: "Pay with WeChat", notInWeChat: "Please open this page in WeChat.", frame: "Payment page",
    left: "Time left to pay: {left}", over: "Time is up; asking the platform how it ended…", sending: "Placing the order…", asking: "Asking the platform…",
    notYet: "The platform has no payment yet. Once you have paid, this page follows by itself.", paid: "Paid", paidText: "{amount} · {time}",
    late: "Paid (after the deadline)", refunded: "Refunded {amount}", failed: "Not paid", expired: "The payment has expired; nothing was charged. Please order again at the seller's.",
    closed: "The payment was closed; nothing was charged.", declined: "The platform declined the payment; nothing was charged.",
    reversed: "The payment was undone; nothing was charged.",
    held: "The payment is being looked at", heldText: "The platform reports another amount than was due; the seller will see to it. Please do not pay again.",
    offline: "The server cannot be reached; trying again…", noTicket: "This link is incomplete or no longer good: please open it from the seller's page again.",
    cannotSwitch: "The earlier code can still be paid, so the way cannot be changed yet. Choose that way again to see its code.",
    unknown: "The platform has not answered yet; please do not pay again. This page follows by itself.", wrong: "That did not work: {why}", newCode: "Get a new code",
  },
});

const id = decodeURIComponent(location.pathname.split("/").pop() ?? "");
const host = new Host(new URLSearchParams(location.search).get("ticket"));

/** @type {Payment | undefined} */
let payment;
/** @type {Way[]} */
let ways = [];
/** Whether it is known which there are. */
let offered = false;
/** Whether the buyer wants to see the list although something was sent. */
let choosing = false;
/** How much the host's clock is ahead of this one. */
let ahead = 0;
/** What is on the screen, so that it is not drawn twice. */
let drawn = "";

const inWeChat = /MicroMessenger/i.test(navigator.userAgent);
const onPhone = matchMedia("(pointer: coarse) and (max-width: 50rem)").matches;

/** Whether this browser can do something with it. */
function fits(/** @type {Way} */ way) {
  if (way.takes.some((argument) => !argument.optional)) return false;
  switch (way.pay_tp) {
    case "wx.jsapi": return inWeChat;
    case "wx.h5": return onPhone && !inWeChat;
    case "wx.app": return false;
    case "zfb.wap": return onPhone && !inWeChat;
    case "zfb.page": return !onPhone;
    default: return true;
  }
}

function say(/** @type {string} */ text) {
  place("said").textContent = text;
}

/** @param {unknown} error */
function tell(error) {
  if (!(error instanceof Refused)) throw error;
  const known = /** @type {Record<string, "offline" | "noTicket" | "cannotSwitch" | "unknown">} */ ({
    "e.page.offline": "offline",
    "e.auth.required": "noTicket",
    "e.pay.noexists": "noTicket",
    "e.pay.send.switch": "cannotSwitch",
    "e.pay.send.unknown": "unknown",
    "e.pay.check.unknown": "unknown",
  })[error.code];
  say(known ? words.say(known) : words.say("wrong", { why: error.message }));
}

/** @param {() => Promise<void>} work */
function during(work) {
  const buttons = [...document.querySelectorAll("main button")].map((b) => /** @type {HTMLButtonElement} */ (b));
  for (const button of buttons) button.disabled = true;
  return work().catch(tell).finally(() => {
    for (const button of buttons) button.disabled = false;
  });
}

/** @param {Payment} changed */
function take(changed) {
  const over = changed.st === "OK" || changed.st === "FAIL";
  if (!payment || over || changed.lm >= payment.lm) payment = changed;
  draw();
}

/** @param {Way} way */
function send(way) {
  return during(async () => {
    say(words.say("sending"));
    await host.post("/pay/ajax/send", { id, pay_tp: way.pay_tp, pay_target: way.pay_target });
    say("");
    choosing = false;
    take(await host.get("/pay/ajax/get", { id }));
    place("way-title").focus();
  });
}

function check() {
  return during(async () => {
    say(words.say("asking"));
    const asked = await host.get("/pay/ajax/check", { id });
    say(asked.st === "WAIT" || asked.st === "NEW" ? words.say("notYet") : "");
    take(asked);
  });
}

/** What the buyer sees: one of the three sections. */
function draw() {
  if (!payment) return;
  place("brief").textContent = payment.brief;
  place("amount").textContent = words.amount(payment.fee, payment.cur);
  place("seller").textContent = words.say("seller", { seller: payment.seller_nm });
  place("test").hidden = !payment.test;
  document.title = `${words.amount(payment.fee, payment.cur)} · ${payment.brief}`;
  const over = payment.st === "OK" || payment.st === "FAIL" || Boolean(payment.held);
  const showing = !over && payment.st === "WAIT" && !choosing;
  if (!over && !offered) return;
  place("choose").hidden = over || showing;
  place("show").hidden = !showing;
  place("end").hidden = !over;
  if (over) drawEnd(payment);
  else if (showing) drawWay(payment);
  else drawChoice();
}

function drawChoice() {
  const open = ways.filter(fits);
  const now = `choice ${words.language} ${open.map((way) => way.pay_tp + way.pay_target)}`;
  if (drawn === now) return;
  drawn = now;
  place("no-ways").hidden = open.length > 0;
  place("ways").replaceChildren(...open.map((way) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.payTp = way.pay_tp;
    const sign = document.createElement("span");
    sign.className = `sign ${way.platform}`;
    sign.ariaHidden = "true";
    sign.textContent = ({ zfb: "支", wx: "微", paypal: "P" })[way.platform] ?? "¤";
    const title = document.createElement("span");
    title.textContent = way.title[words.language];
    button.append(sign, title);
    button.addEventListener("click", () => send(way));
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
}

/** @param {Payment} payment */
function drawWay(payment) {
  const way = ways.find((way) => way.pay_tp === payment.pay_tp);
  const content = typeof payment.re_obj === "string" ? payment.re_obj : JSON.stringify(payment.re_obj);
  const now = `way ${words.language} ${payment.pay_tp} ${payment.re_tp} ${content}`;
  if (drawn !== now) {
    drawn = now;
    place("way-title").textContent = way ? way.title[words.language] : payment.pay_tp;
    place("shown").replaceChildren(...presented(payment, content));
  }
  // Where there is something to be done first, this comes after it.
  place("paid").classList.toggle("first", payment.re_tp === "QRCODE" || payment.re_tp === "IFRAME");
  place("another").hidden = ways.filter(fits).length < 2;
  tick();
}

/**
 * @param {Payment} payment
 * @param {string} content
 * @returns {Node[]}
 */
function presented(payment, content) {
  const text = (/** @type {string} */ words) => {
    const p = document.createElement("p");
    p.className = "quiet";
    p.textContent = words;
    return p;
  };
  switch (payment.re_tp) {
    case "QRCODE": {
      const frame = document.createElement("span");
      frame.className = "code";
      const image = document.createElement("img");
      image.alt = words.say("qrcode");
      // The address changes with the code.
      image.src = host.address("/pay/ajax/qrcode", { id, of: content });
      frame.append(image);
      return [frame, text(words.say("scanWith"))];
    }
    case "LINK": {
      const link = document.createElement("a");
      link.className = "button first";
      link.target = "_blank";
      link.rel = "noopener noreferrer";
      link.textContent = words.say("open");
      if (/^https?:\/\//i.test(content)) link.href = content;
      return [link, text(words.say("opened"))];
    }
    case "IFRAME": {
      const frame = document.createElement("iframe");
      frame.className = "page";
      frame.title = words.say("frame");
      frame.referrerPolicy = "no-referrer";
      if (/^https?:\/\//i.test(content)) frame.src = content;
      return [frame];
    }
    case "JSON": {
      if (!inWeChat) return [text(words.say("notInWeChat"))];
      const button = document.createElement("button");
      button.type = "button";
      button.className = "first";
      button.textContent = words.say("call");
      button.addEventListener("click", () => callWeChat(payment.re_obj));
      return [button, text(words.say("inWeChat"))];
    }
    default:
      return content && content !== "null" ? [text(content)] : [];
  }
}

/** WeChat puts its bridge into the page, now or in a moment. */
function callWeChat(/** @type {unknown} */ parameters) {
  const bridge = /** @type {any} */ (window).WeixinJSBridge;
  // What it answers proves nothing: the host asks the platform.
  const call = () => /** @type {any} */ (window).WeixinJSBridge.invoke("getBrandWCPayRequest", parameters, () => check());
  if (bridge) call();
  else document.addEventListener("WeixinJSBridgeReady", call, { once: true });
}

/** @param {Payment} payment */
function drawEnd(payment) {
  const amount = words.amount(payment.fee, payment.cur);
  /** @type {[string, string, string, string]} */
  let [kind, mark, title, text] = ["is-bad", "✕", words.say("failed"), ""];
  if (payment.held) {
    [kind, mark, title, text] = ["is-open", "!", words.say("held"), words.say("heldText")];
  } else if (payment.st === "OK") {
    text = words.say("paidText", { amount, time: words.time(payment.close_at || payment.lm) });
    if (payment.refunded > 0) text += ` · ${words.say("refunded", { amount: words.amount(payment.refunded, payment.cur) })}`;
    [kind, mark, title] = ["is-good", "✓", words.say(payment.late ? "late" : "paid")];
  } else {
    const why = /** @type {Record<string, "expired" | "closed" | "declined" | "reversed">} */ ({
      EXPIRED: "expired", CLOSED: "closed", DECLINED: "declined", REVERSED: "reversed",
    })[payment.fail_why];
    text = why ? words.say(why) : "";
  }
  const now = `end ${kind} ${title} ${text}`;
  if (drawn === now) return;
  const first = !drawn.startsWith("end");
  drawn = now;
  place("end").className = kind;
  place("mark").textContent = mark;
  place("end-title").textContent = title;
  place("end-text").textContent = text;
  const back = place("return");
  back.hidden = !(typeof payment.return_url === "string" && /^https?:\/\//i.test(payment.return_url));
  if (!back.hidden) /** @type {HTMLAnchorElement} */ (back).href = payment.return_url;
  say("");
  if (first) place("end-title").focus();
}

/** The time that is left: the payment's own, or the code's where that ends sooner. */
function tick() {
  if (!payment || place("show").hidden) return;
  const ends = [payment.expi, payment.re_until].filter((end) => end > 0);
  const now = Date.now() + ahead;
  const left = Math.min(...ends) - now;
  place("renew").hidden = left > 0 || ends.length === 0 || now >= payment.expi;
  place("countdown").textContent = ends.length === 0 ? "" : left > 0
    ? words.say("left", { left: words.length(left) })
    : words.say("over");
}

async function begin() {
  words.write();
  words.switchedBy(place("language"), draw);
  place("paid").addEventListener("click", check);
  place("renew").addEventListener("click", () => {
    const way = ways.find((way) => way.pay_tp === payment?.pay_tp && way.pay_target === payment.pay_target);
    if (way) send(way);
  });
  place("another").addEventListener("click", () => {
    choosing = true;
    say("");
    draw();
    /** @type {HTMLElement | null} */ (document.querySelector("#ways button"))?.focus();
  });
  setInterval(tick, 1000);
  // All is asked at once: on a slow line each question costs as much as all scripts. The first two came with them.
  const unfollow = host.follow(id, take);
  host.get("/pay/ajax/get", { id }).then(take).catch(() => {
    // Who follows is told anyway.
  });
  for (let pause = 1000; ; pause = Math.min(pause * 2, 15000)) {
    try {
      const told = await host.get("/pay/ajax/offers", { id });
      ahead = told.now - Date.now();
      ways = told.pay_types;
      offered = true;
      say("");
      draw();
      return;
    } catch (error) {
      tell(error);
      if (!(error instanceof Refused) || (error.status >= 400 && error.status < 429)) {
        unfollow();
        return;
      }
      await new Promise((done) => setTimeout(done, pause));
    }
  }
}

begin();
