// A buyer in front of the cashier.

import { strict as assert } from "node:assert";
import { look, open, ordered, platform, read, says, shop, told } from "../browser.mjs";

/** The buyer scans, and the page turns green by itself. */
export async function cashier() {
  for (const kind of ["phone", "desktop"]) {
    const order = await ordered();
    const opened = await open(kind, order.cashier);
    const { page } = opened;
    await page.locator("#choose").waitFor();
    await says(page, "amount", /23\.00/);
    await look(opened, `${kind}-1-choose`);
    await page.locator("[data-pay-tp='zfb.qrcode']").click();
    const image = page.locator(".code img");
    await image.waitFor();
    await page.waitForFunction(() => document.querySelector(".code img")?.naturalWidth > 0);
    const picture = await look(opened, `${kind}-2-code`);
    const shown = (await shop("GET", `/pay/ajax/get?id=${order.id}`)).re_obj;
    assert.equal(read(picture), shown, "what the camera reads is what the platform gave");
    await says(page, "countdown", /\d:\d\d/);
    await page.locator("#paid").click();
    await says(page, "said", /no payment yet|还没有收到/);
    await platform("/buyer/pay", { qr_code: shown });
    await page.locator("#end.is-good").waitFor();
    await look(opened, `${kind}-3-paid`);
    assert.equal(await page.locator("#return").getAttribute("href"), `${told.host}/healthz`);
    await opened.context.close();
  }
}

/** Without events the page looks by itself. */
export async function polling() {
  const order = await ordered();
  const opened = await open("desktop", "about:blank");
  await opened.context.route("**/pay/ajax/watch**", (route) => route.abort());
  await opened.page.goto(order.cashier);
  await opened.page.locator("[data-pay-tp='zfb.qrcode']").click();
  await opened.page.locator(".code img").waitFor();
  const shown = (await shop("GET", `/pay/ajax/get?id=${order.id}`)).re_obj;
  await platform("/buyer/pay", { qr_code: shown });
  await opened.page.locator("#end.is-good").waitFor();
  await opened.context.close();
}

/** What ends unpaid says so; a broken link says what to do. */
export async function unpaid() {
  const order = await ordered();
  const opened = await open("phone", order.cashier);
  await opened.page.locator("#choose").waitFor();
  await shop("POST", "/pay/ajax/close", { id: order.id });
  await opened.page.locator("#end.is-bad").waitFor();
  await says(opened.page, "end-text", /没有扣款/);
  await look(opened, "1-closed");
  await opened.page.locator("#language").selectOption("en");
  await says(opened.page, "end-text", /nothing was charged/);
  await opened.page.reload();
  await says(opened.page, "end-text", /nothing was charged/);
  await opened.context.close();
  const broken = await open("desktop", `${told.host}/pay/cashier/${order.id}`);
  await says(broken.page, "said", /incomplete/);
  await look(broken, "2-broken");
  await broken.context.close();
}

/** By the keyboard alone. */
export async function keyboard() {
  const order = await ordered();
  const opened = await open("desktop", order.cashier);
  const { page } = opened;
  await page.locator("#choose").waitFor();
  for (let steps = 0; steps < 12; steps++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement?.getAttribute("data-pay-tp") === "zfb.qrcode")) break;
  }
  await page.keyboard.press("Enter");
  await page.locator(".code img").waitFor();
  await page.waitForFunction(() => document.activeElement?.id === "way-title");
  const shown = (await shop("GET", `/pay/ajax/get?id=${order.id}`)).re_obj;
  await platform("/buyer/pay", { qr_code: shown });
  await page.locator("#end.is-good").waitFor();
  await page.waitForFunction(() => document.activeElement?.id === "end-title");
  await opened.context.close();
}
