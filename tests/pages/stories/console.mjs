// Owners and the operator at the console.

import { strict as assert } from "node:assert";
import { look, open, ordered, platform, says, shop, told } from "../browser.mjs";

/** An owner looks payments up, gives money back, writes a callback and puts an account. */
export async function owner() {
  for (const kind of ["desktop", "phone"]) {
    const paid = await ordered({ brief: `console ${kind}`, callback: "record-sale" });
    const sent = await shop("POST", "/pay/ajax/send", { id: paid.id, pay_tp: "zfb.qrcode" });
    await platform("/buyer/pay", { qr_code: sent.data });
    const open_ = await ordered({ brief: `open ${kind}` });
    const opened = await open(kind, `${told.host}/pay/console`);
    const { page } = opened;
    page.on("dialog", (dialog) => dialog.accept());
    const room = async (name) => {
      await page.locator(`#rooms a[href='#${name}']`).click();
      await page.locator(`#rooms a[href='#${name}'][aria-current]`).waitFor();
    };
    await page.waitForFunction(() => document.activeElement?.id === "key");
    await look(opened, `${kind}-1-sign-in`);
    await page.keyboard.type(told.key);
    await page.keyboard.press("Enter");
    await page.locator(".chart").first().waitFor();
    await says(page, "room", /\d\.00/);
    await look(opened, `${kind}-2-overview`);

    await room("payments");
    await page.locator("#list table").waitFor();
    await page.locator("#room form input").first().fill(`brief:'^.*${kind}', fee:'[2300,]'`);
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelectorAll("#list tbody tr").length === 2);
    await look(opened, `${kind}-3-payments`);
    // What happens meanwhile is seen without a touch.
    await shop("POST", "/pay/ajax/close", { id: open_.id });
    await page.waitForFunction(() => document.querySelector("#list .st.FAIL"));
    await page.locator("#room form input").first().fill("fee:'[1,'");
    await page.keyboard.press("Enter");
    await says(page, "said", /fee/);
    await look(opened, `${kind}-4-malformed`);

    await page.goto(`${told.host}/pay/console#payment/${paid.id}`);
    await page.locator(".timeline").waitFor();
    await says(page, "room", /DONE/);
    const facts = page.locator("#room details", { hasText: "TRADE_SUCCESS" }).first();
    await facts.locator("summary").click();
    assert.match(await facts.locator("tr", { hasText: "total_amount" }).first().textContent(), /23\.00.*23\.00.*(same|一致)/);
    assert.match(await facts.locator("tr", { hasText: "app_id" }).first().textContent(), /(same|一致)/);
    assert.match(await facts.locator("tr", { hasText: /Currency|币种/ }).textContent(), /CNY.*CNY.*(implied|隐含)/);
    assert.match(await facts.locator("tr", { hasText: "trade_status" }).textContent(), /TRADE_SUCCESS.*OK.*(same|一致)/);
    await look(opened, `${kind}-5-payment`);
    const amount = page.locator("#room form.row input").first();
    await amount.fill("3.00");
    await page.locator("#room form.row button[type=submit]").click();
    await says(page, "room", /¥3\.00/);
    await page.waitForFunction(async () => true);
    const after = await shop("GET", `/pay/ajax/get?id=${paid.id}`);
    assert.equal(after.refunds.length, 1);
    assert.equal(after.refunds[0].fee, 300);

    await room("callbacks");
    // The payment's own fields may stand there still.
    await page.locator("#room input[maxlength='64']").fill(`note-${kind}`);
    await page.keyboard.press("Enter");
    const editor = page.locator(".editor textarea");
    await editor.fill("const sold = kv.increment('sold');\nlog.info(`sold ${sold}`);\nreturn { sold }");
    await page.locator("#room .row button").first().click();
    await page.locator("#dry-run .card").waitFor();
    await says(page, "dry-run", /sold 1/);
    await look(opened, `${kind}-6-callback`);
    await editor.fill("const a = 1;\nreturn {;");
    await page.locator("#room .row button.first").click();
    await page.locator(".editor .lines b").waitFor();
    assert.match(await page.locator(".editor .lines b").textContent(), /2/);
    await look(opened, `${kind}-7-mistake`);
    await editor.fill("return { version: 1 }");
    await page.locator("#room .row button.first").click();
    await says(page, "said", /version 1|版本 1/);
    await page.locator(".editor textarea").fill("return { version: 2 }");
    await page.locator("#room .row button.first").click();
    await says(page, "said", /version 2|版本 2/);
    await page.locator("#room table button").click();
    await page.waitForFunction(() => document.querySelectorAll("#room table tbody tr").length === 3);
    assert.equal(await page.locator(".editor textarea").inputValue(), "return { version: 1 }");

    await room("targets");
    await page.locator("#room table a").first().click();
    await page.locator("form.fields").waitFor();
    await look(opened, `${kind}-8-target`);
    const secret = page.locator("form.fields label", { hasText: "app_private_key" }).locator("input, textarea");
    await secret.fill("no key at all");
    await page.locator("form.fields button.first").click();
    await says(page, "said", /app_private_key/);
    await page.waitForFunction(() => [...document.querySelectorAll(".field-error")].some((error) => error.textContent));
    await look(opened, `${kind}-9-target-mistake`);
    // A secret that is left empty stays as it is.
    const version = (await shop("GET", "/pay/target/zfb/main")).version;
    await secret.fill("");
    await page.locator("form.fields button.first").click();
    await says(page, "said", /Done|已完成/);
    assert.equal((await shop("GET", "/pay/target/zfb/main")).version, version + 1);
    const still = await ordered();
    await shop("POST", "/pay/ajax/send", { id: still.id, pay_tp: "zfb.qrcode" });
    await page.locator("#language").selectOption(kind === "phone" ? "en" : "zh");
    await page.locator("#sign-out").click();
    await page.waitForFunction(() => document.activeElement?.id === "key");
    await opened.context.close();
  }
}

/** The operator sees every domain's, and gives keys. */
export async function operator() {
  await ordered();
  const opened = await open("desktop", `${told.host}/pay/console`);
  const { page } = opened;
  page.on("dialog", (dialog) => dialog.accept());
  await page.waitForFunction(() => document.activeElement?.id === "key");
  await page.keyboard.type(told.root);
  await page.keyboard.press("Enter");
  await page.locator("#rooms a[href='#domains']").click();
  await page.locator("#domain").selectOption("shop");
  await page.locator("#room button", { hasText: "Issue a test key" }).click();
  await says(page, "room", /wk_test_/);
  await look(opened, "1-domains");
  const rows = await page.locator("#room section table tbody tr").count();
  await page.reload();
  await page.locator("#domain").selectOption("shop");
  await page.waitForFunction((rows) => document.querySelectorAll("#room section table tbody tr").length === rows + 1, rows);
  assert.doesNotMatch(await page.locator("#room").textContent(), /wk_test_/, "a key is shown once");
  await page.locator("#rooms a[href='#payments']").click();
  await page.locator("#list table").waitFor();
  await opened.context.close();
}
