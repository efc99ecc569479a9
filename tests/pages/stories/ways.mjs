// The other ways to pay at the cashier: within WeChat, by a link, in a frame; another way after one was chosen; time that runs out.

import { strict as assert } from "node:assert";
import { look, open, ordered, platform, read, says, shop, told } from "../browser.mjs";

const WECHAT = {
  phone: "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50 NetType/WIFI Language/zh_CN",
  desktop: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36 MicroMessenger/7.0.20 WindowsWechat",
};

/** What WeChat puts into a page: a bridge that asks its user, who says no at first. */
function bridge(late) {
  let asked = 0;
  const made = {
    async invoke(name, parameters, done) {
      if (name !== "getBrandWCPayRequest") throw new Error(`no ${name}`);
      asked += 1;
      if (asked === 1) done({ err_msg: "get_brand_wcpay_request:cancel" });
      else done({ err_msg: await window.buyerPays(parameters) });
    },
  };
  const put = () => {
    window.WeixinJSBridge = made;
    document.dispatchEvent(new Event("WeixinJSBridgeReady"));
  };
  if (late) window.putBridge = put;
  else put();
}

/** Within WeChat the page calls the app; elsewhere it says where to go. */
export async function wechat() {
  for (const kind of ["phone", "desktop"]) {
    const late = kind === "phone";
    const order = await ordered({ openid: told.openid });
    const opened = await open(kind, order.cashier, { userAgent: WECHAT[kind] }, async (context) => {
      await context.exposeFunction("buyerPays", async (parameters) => {
        await platform("/buyer/pay", { call: parameters }, told.wechat);
        return "get_brand_wcpay_request:ok";
      });
      await context.addInitScript(bridge, late);
    });
    const { page } = opened;
    await page.locator("[data-pay-tp='wx.jsapi']").click();
    const call = page.locator("#shown button");
    await call.waitFor();
    await look(opened, `${kind}-1-call`);
    await call.click();
    // A bridge that comes later is waited for.
    if (late) await page.evaluate(() => window.putBridge());
    await says(page, "said", /no payment yet|还没有收到/);
    await look(opened, `${kind}-2-said-no`);

    const outside = await open(kind, order.cashier);
    await says(outside.page, "shown", /open this page in WeChat|在微信中打开/);
    assert.equal(await outside.page.locator("#shown button").count(), 0);
    await look(outside, `${kind}-3-outside`);

    await call.click();
    await page.locator("#end.is-good").waitFor();
    await outside.page.locator("#end.is-good").waitFor();
    await look(opened, `${kind}-4-paid`);
    await outside.context.close();
    await opened.context.close();
  }
}

/** The buyer goes to the platform's page and comes back to one that has followed; then back to the shop. */
export async function link() {
  for (const [kind, way] of [["desktop", "zfb.page"], ["phone", "zfb.wap"]]) {
    const order = await ordered();
    const opened = await open(kind, order.cashier);
    const { page, context } = opened;
    await page.locator(`[data-pay-tp='${way}']`).click();
    const link = page.locator("#shown a.button");
    await link.waitFor();
    await look(opened, `${kind}-1-link`);
    const [there] = await Promise.all([context.waitForEvent("page"), link.click()]);
    await there.locator("form[action='/buyer/pay'] button").first().click();
    // Alipay's page leads back to the shop's own.
    await there.waitForURL((url) => url.href.startsWith(`${told.host}/healthz`));
    await page.locator("#end.is-good").waitFor();
    await look(opened, `${kind}-2-paid`);
    await page.locator("#return").click();
    await page.waitForURL(`${told.host}/healthz`);
    await context.close();
  }
}

/** A shop that asked for it has Alipay's code in a frame of the cashier. */
export async function frame() {
  for (const kind of ["desktop", "phone"]) {
    const order = await ordered();
    await shop("POST", "/pay/ajax/send", { id: order.id, pay_tp: "zfb.page", args: ["iframe"] });
    const opened = await open(kind, order.cashier, { also: [told.alipay] });
    const { page } = opened;
    const frame = page.frameLocator("iframe.page");
    await frame.locator("form[action='/buyer/pay'] button").first().waitFor();
    await look(opened, `${kind}-1-frame`);
    await frame.locator("form[action='/buyer/pay'] button").first().click();
    await page.locator("#end.is-good").waitFor();
    assert.equal(await page.locator("iframe").isVisible(), false);
    await look(opened, `${kind}-2-paid`);
    await opened.context.close();
  }
}

/** PayPal: the buyer approves there, the host captures, and the cashier follows. */
export async function paypal() {
  for (const kind of ["phone", "desktop"]) {
    const order = await ordered({ fee: 1999, cur: "USD" });
    const opened = await open(kind, order.cashier);
    const { page, context } = opened;
    await says(page, "amount", /19\.99/);
    await page.locator("[data-pay-tp='paypal.page']").click();
    const link = page.locator("#shown a.button");
    await link.waitFor();
    await look(opened, `${kind}-1-link`);
    const [there] = await Promise.all([context.waitForEvent("page"), link.click()]);
    await there.locator("form[action='/buyer/approve'] button").click();
    await there.waitForURL((url) => url.href.startsWith(told.host));
    await page.locator("#end.is-good").waitFor();
    await look(opened, `${kind}-2-captured`);
    const paid = await shop("GET", `/pay/ajax/get?id=${order.id}`);
    assert.ok(paid.paypal.transaction_id, "the money was captured");
    await page.locator("#return").click();
    await page.waitForURL(`${told.host}/healthz`);
    await context.close();
  }
}

/** Another way after one was chosen: not while the first code may be paid, and then with a code of its own. */
export async function another() {
  for (const [kind, way] of [["phone", "zfb.wap"], ["desktop", "zfb.page"]]) {
    const order = await ordered();
    const opened = await open(kind, order.cashier);
    const { page, context } = opened;
    await page.locator("[data-pay-tp='zfb.qrcode']").click();
    await page.locator(".code img").waitFor();
    await page.locator("#another").click();
    await page.locator(`[data-pay-tp='${way}']`).click();
    // Nobody scanned the code, so that Alipay knows no trade that could be closed.
    await says(page, "said", /cannot be changed yet|暂时不能更换/);
    await look(opened, `${kind}-1-not-yet`);
    const first = (await shop("GET", `/pay/ajax/get?id=${order.id}`)).re_obj;
    await page.locator("[data-pay-tp='zfb.qrcode']").click();
    await page.locator(".code img").waitFor();
    await page.waitForFunction(() => document.querySelector(".code img")?.naturalWidth > 0);
    assert.equal(read(await look(opened, `${kind}-2-code`)), first, "the same code as before");

    await platform("/buyer/scan", { qr_code: first });
    await page.locator("#another").click();
    await page.locator(`[data-pay-tp='${way}']`).click();
    const link = page.locator("#shown a.button");
    await link.waitFor();
    await look(opened, `${kind}-3-other`);
    const switched = await shop("GET", `/pay/ajax/get?id=${order.id}`);
    assert.deepEqual(switched.attempts.map((attempt) => attempt.st), ["FAIL", "WAIT"]);
    const [there] = await Promise.all([context.waitForEvent("page"), link.click()]);
    await there.locator("form[action='/buyer/pay'] button").first().click();
    await page.locator("#end.is-good").waitFor();
    await context.close();
  }
}

/** Time runs out before the eyes of the buyer: one that nobody sent ends by itself, one that was sent is asked about first. */
export async function expiry() {
  await Promise.all([["phone", "zfb.wap"], ["desktop", "zfb.page"], ["phone", ""], ["desktop", ""]].map(async ([kind, way]) => {
    const order = await ordered({ expi: Date.now() + 20_000 });
    const opened = await open(kind, order.cashier);
    const { page } = opened;
    if (way) {
      await page.locator(`[data-pay-tp='${way}']`).click();
      await page.locator("#shown a.button").waitFor();
      await says(page, "countdown", /0:\d\d/);
      await look(opened, `${kind}-1-countdown`);
    }
    await page.locator("#end.is-bad").waitFor();
    await says(page, "end-text", /has expired|已过期/);
    await look(opened, `${kind}-${way ? "2" : "3-unsent"}-expired`);
    await page.locator("#return").click();
    await page.waitForURL(`${told.host}/healthz`);
    await opened.context.close();
  }));
}
