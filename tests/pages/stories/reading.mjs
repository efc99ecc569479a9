// Whoever writes a program that calls the host, at the page of its endpoints.

import { strict as assert } from "node:assert";
import { look, open, told } from "../browser.mjs";

/** Every endpoint is there; a filter finds those with a code, and one of them is read with what it takes, answers and refuses. */
export async function endpoints() {
  for (const kind of ["desktop", "phone"]) {
    const opened = await open(kind, `${told.host}/pay/api`);
    const { page } = opened;
    await page.waitForSelector(".endpoint");
    const all = await page.locator(".endpoint").count();
    assert.ok(all > 60, `${all}`);
    await page.fill("#filter", "e.pay.refund.tooMuch");
    await page.waitForFunction(() => document.querySelectorAll(".endpoint").length === 1);
    const refund = page.locator(".endpoint");
    await refund.locator("> summary").click();
    const text = await refund.textContent();
    for (const word of ["POST", "/pay/ajax/refund", "Idempotency-Key", "fee", "refund_no", "e.pay.refund.tooMuch", "422"]) {
      assert.ok(text?.includes(word), word);
    }
    await look(opened, `${kind}-1-refund`);
    await page.selectOption("#language", "zh");
    await page.waitForFunction(() => document.querySelector("h1")?.textContent === "接口");
    assert.equal(await refund.getAttribute("open"), "", "it stays open");
    await page.fill("#filter", "nothing is called that");
    await page.waitForFunction(() => document.querySelector("#said")?.textContent === "没有符合的接口。");
    await look(opened, `${kind}-2-nothing`);
    await opened.context.close();
  }
}
