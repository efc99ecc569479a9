// What an owner does with payments at the console: page through them, choose what to see of each, close one, ask the platform
// about one, and take one back that a buyer was slow to confirm.

import { strict as assert } from "node:assert";
import { code, look, ordered, platform, says, shop, signedIn, told } from "../browser.mjs";

/** More than a page of payments: each is on one page, the newest first; and the first page comes back, and follows again. */
export async function paging() {
  const made = [];
  for (let number = 0; number < 60; number++) made.push((await ordered({ brief: `many ${number}` })).id);
  for (const kind of ["desktop", "phone"]) {
    const opened = await signedIn(kind, `#payments/${encodeURIComponent("brief:'^many'")}`);
    const { page } = opened;
    const rows = () => page.locator("#list tbody tr a").evaluateAll((links) => links.map((link) => link.getAttribute("href").split("/")[1]));
    const until = (count) => page.waitForFunction((count) => document.querySelectorAll("#list tbody tr").length === count, count);
    await until(50);
    const newest = await rows();
    const following = page.locator("#room form input[type=checkbox]");
    assert.equal(await following.isChecked(), true);
    await page.locator("#room button", { hasText: /^(Next page|下一页)$/ }).click();
    await until(made.length - 50);
    const oldest = await rows();
    assert.deepEqual([...newest, ...oldest], [...made].reverse());
    assert.equal(await following.isChecked(), false, "an older page stays as it is");
    assert.equal(await page.locator("#room button", { hasText: /^(Next page|下一页)$/ }).count(), 0);
    await look(opened, `${kind}-1-second-page`);
    await page.locator("#room button", { hasText: /^(First page|回到第一页)$/ }).click();
    await until(50);
    assert.deepEqual(await rows(), newest);
    const another = (await ordered({ brief: `many, and one of the ${kind}` })).id;
    await page.waitForFunction((id) => document.querySelector("#list tbody tr a")?.getAttribute("href")?.endsWith(id), another);
    await shop("POST", "/pay/ajax/close", { id: another });
    made.push(another);
    await opened.context.close();
  }
}

/** Columns are chosen, and the browser keeps the choice. */
export async function columns() {
  await ordered({ brief: "columns", buyer: "2:b-7", buyer_nm: "小白" });
  for (const kind of ["desktop", "phone"]) {
    const opened = await signedIn(kind, `#payments/${encodeURIComponent("brief:'columns'")}`);
    const { page } = opened;
    const heads = () => page.locator("#list thead th").allTextContents();
    const found = () => page.waitForFunction(() => document.querySelectorAll("#list tbody tr").length === 1);
    await found();
    const usual = await heads();
    assert.equal(usual.length, 7);
    await page.locator("#room details summary").click();
    await page.locator("#room details label", { hasText: /^ ?(Buyer|买家)/ }).locator("input").click();
    await page.locator("#room details label", { hasText: /^ ?(Seller|卖家)/ }).locator("input").click();
    await page.waitForFunction(() => /(Seller|卖家)/.test(document.querySelector("#list thead")?.textContent ?? ""));
    const chosen = await heads();
    assert.ok(!chosen.some((head) => /Buyer|买家/.test(head)), chosen.join());
    assert.match(await page.locator("#list tbody tr").textContent(), /shop/);
    assert.doesNotMatch(await page.locator("#list tbody tr").textContent(), /小白/);
    await look(opened, `${kind}-1-chosen`);
    await page.reload();
    await found();
    assert.deepEqual(await heads(), chosen);
    await opened.context.close();
  }
}

/** From now on, until told otherwise. */
async function misbehave(how) {
  const answer = await fetch(`${told.alipay}/misbehave`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(how),
  });
  assert.equal(answer.ok, true, await answer.text());
}

/** A payment is closed; one whose notification was lost is asked about; one at the till is taken back. */
export async function acting() {
  for (const kind of ["desktop", "phone"]) {
    const opened = await signedIn(kind, "#payments");
    const { page } = opened;
    await page.locator("#list").waitFor();
    const act = async (id, words, path, said) => {
      await page.goto(`${told.host}/pay/console#payment/${id}`);
      await page.waitForFunction((id) => document.getElementById("room")?.textContent?.includes(id), id);
      const answered = page.waitForResponse((answer) => answer.url().endsWith(path) && answer.request().method() === "POST");
      await page.locator("#room .row button", { hasText: words }).click();
      assert.equal((await answered).status(), 200);
      await says(page, "said", said);
    };
    const sent = async (more = {}) => {
      const { id } = await ordered({ brief: `acting ${kind}`, ...more });
      return { id, shown: (await shop("POST", "/pay/ajax/send", { id, pay_tp: "zfb.qrcode" })).data };
    };

    const closing = await sent();
    await platform("/buyer/scan", { qr_code: closing.shown });
    await act(closing.id, /^(Close|关闭)$/, "/pay/ajax/close", /Done|已完成/);
    await page.locator("#room .st.FAIL").first().waitFor();
    await says(page, "room", /CLOSED/);
    await look(opened, `${kind}-1-closed`);
    const closed = await shop("GET", `/pay/ajax/get?id=${closing.id}`);
    assert.deepEqual([closed.st, closed.fail_why], ["FAIL", "CLOSED"]);
    // What nobody scanned is not there for the platform to close: the page says so.
    const unseen = await sent();
    await act(unseen.id, /^(Close|关闭)$/, "/pay/ajax/close", /nobody scanned|没有人扫过/);
    await says(page, "room", /ending|结束中/);
    assert.equal((await shop("GET", `/pay/ajax/get?id=${unseen.id}`)).st, "WAIT");
    await look(opened, `${kind}-2-ending`);

    // Notifications are lost, and the platform is too busy to answer until the owner asks.
    const asking = await sent();
    await misbehave({ what: { notification: "lost" }, times: null });
    await misbehave({ what: { answer: { busy: { processed: false } } }, operation: "alipay.trade.query", times: null });
    await platform("/buyer/pay", { qr_code: asking.shown });
    assert.equal((await shop("GET", `/pay/ajax/get?id=${asking.id}`)).st, "WAIT");
    await fetch(`${told.alipay}/misbehave`, { method: "DELETE" });
    await act(asking.id, /^(Ask the platform|向平台查询)$/, "/pay/ajax/check", /Done|已完成/);
    await page.locator("#room .st.OK").first().waitFor();
    await look(opened, `${kind}-3-asked`);

    const slow = await ordered({ brief: `slow ${kind}` });
    const waits = await shop("POST", "/pay/ajax/send", { id: slow.id, pay_tp: "zfb.scan", args: [await code("is_asked")] });
    assert.equal(waits.status, "WAIT");
    await act(slow.id, /^(Undo|撤销)$/, "/pay/ajax/reverse", /Done|已完成/);
    await page.locator("#room .st.FAIL").first().waitFor();
    await look(opened, `${kind}-4-reversed`);
    assert.equal((await shop("GET", `/pay/ajax/get?id=${slow.id}`)).st, "FAIL");
    await opened.context.close();
  }
}
