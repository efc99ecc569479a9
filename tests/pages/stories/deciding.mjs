// What an owner decides at the console: a payment on hold, a delivery that is dead; and what is taken along as a file.

import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { look, open, ordered, platform, says, shop, signedIn, told } from "../browser.mjs";

/** The platform says that less was paid: the console shows which fact differs, and a person decides, with a reason. */
export async function held() {
  for (const [kind, id, decision, state] of [["desktop", told.accepted, 0, "OK"], ["phone", told.given_back, 1, "WAIT"]]) {
    const opened = await signedIn(kind, `#payment/${id}`);
    const { page } = opened;
    await page.locator(".timeline").waitFor();
    const facts = page.locator("#room details[open] table");
    await facts.waitFor();
    const row = (name) => facts.locator("tbody tr", { hasText: name }).first();
    assert.match(await row("total_amount").textContent(), /22\.00.*23\.00.*(differs|不一致)/);
    assert.match(await row("out_trade_no").textContent(), /(same|一致)/);
    assert.match(await row("app_id").textContent(), /(same|一致)/);
    assert.match(await row("trade_status").textContent(), /TRADE_SUCCESS/);
    await look(opened, `${kind}-1-held`);
    const decide = page.locator("#room section.card .row button");
    await decide.nth(decision).click();
    assert.equal((await shop("GET", `/pay/ajax/get?id=${id}`)).held.paid_minor, 2200, "nothing is decided without a reason");
    await page.locator("#room section.card input").first().fill("the buyer paid the rest in cash");
    await decide.nth(decision).click();
    await says(page, "said", /Done|已完成/);
    const decided = await shop("GET", `/pay/ajax/get?id=${id}`);
    assert.deepEqual([decided.st, decided.held], [state, undefined]);
    await says(page, "room", /paid the rest in cash/);
    await look(opened, `${kind}-2-decided`);
    await opened.context.close();
  }
}

/** A delivery that was given up is run once more. */
export async function dead() {
  for (const [kind, id] of [["desktop", told.dead[0]], ["phone", told.dead[1]]]) {
    const opened = await signedIn(kind, `#payment/${id}`);
    const { page } = opened;
    await page.locator("#room .st.DEAD").waitFor();
    await says(page, "room", /the host ended while this try ran/);
    await look(opened, `${kind}-1-dead`);
    await page.locator("#room section .card > button").click();
    await page.locator("#room .st.DONE").waitFor();
    await look(opened, `${kind}-2-done`);
    const applied = await shop("GET", `/pay/ajax/get?id=${id}`);
    assert.ok(applied.apply_at > 0);
    await opened.context.close();
  }
}

/** A file of lines and fields, as spreadsheets read them. */
function parsed(text) {
  const lines = [[""]];
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const line = lines.at(-1);
    const sign = text[at];
    if (quoted && sign === '"' && text[at + 1] === '"') line[line.length - 1] += text[++at];
    else if (sign === '"') quoted = !quoted;
    else if (sign === "," && !quoted) line.push("");
    else if (sign === "\r" && text[at + 1] === "\n" && !quoted) {
      lines.push([""]);
      at += 1;
    } else line[line.length - 1] += sign;
  }
  assert.equal(lines.pop().join(), "", "the last line has an end");
  return lines;
}

/** What is saved is what the host says, field by field. */
export async function csv() {
  const paid = await ordered({ brief: 'csv "two", cups\nof tea', buyer: "2:b-7", buyer_nm: "=1+2" });
  const sent = await shop("POST", "/pay/ajax/send", { id: paid.id, pay_tp: "zfb.qrcode" });
  await platform("/buyer/pay", { qr_code: sent.data });
  const closed = await ordered({ brief: "csv 茶", fee: 123456789 });
  await shop("POST", "/pay/ajax/close", { id: closed.id });
  await ordered({ brief: "csv yen", fee: 500, cur: "JPY" });
  await ordered({ brief: "another" });
  for (const kind of ["desktop", "phone"]) {
    const opened = await signedIn(kind, `#payments/${encodeURIComponent("brief:'^csv'")}`);
    const { page } = opened;
    await page.waitForFunction(() => document.querySelectorAll("#list tbody tr").length === 3);
    const [file] = await Promise.all([page.waitForEvent("download"), page.locator("#room .row button", { hasText: /CSV/ }).click()]);
    assert.equal(file.suggestedFilename(), "payments.csv");
    const text = await readFile(await file.path(), "utf8");
    assert.ok(text.startsWith("\ufeff"), "spreadsheets take it for what it is");
    const [names, ...lines] = parsed(text.slice(1));
    const known = await shop("GET", `/pay/ajax/query?limit=1000&match=${encodeURIComponent("{brief:'^csv'}")}`);
    assert.equal(lines.length, known.length);
    lines.forEach((line, at) => names.forEach((name, column) => {
      const said = known[at][name] ?? "";
      // What a spreadsheet would take for a formula has an apostrophe.
      const due = said === "=1+2" ? "'=1+2" : String(said);
      assert.equal(line[column], due, `${name} of ${known[at].brief}`);
    }));
    assert.ok(known.some((payment) => payment.st === "OK") && known.some((payment) => payment.fail_why === "CLOSED"));
    await opened.context.close();
  }
}

/** The list follows what the shop's own server and the buyers do, without asking over and over. */
export async function following() {
  for (const kind of ["desktop", "phone"]) {
    const opened = await open(kind, `${told.host}/pay/console#payments/${encodeURIComponent(`brief:'${kind}'`)}`);
    const { page } = opened;
    let asked = 0;
    const watched = page.waitForResponse((response) => response.url().includes("/pay/ajax/watch"));
    page.on("request", (request) => { if (request.url().includes("/pay/ajax/query")) asked += 1; });
    await page.waitForFunction(() => document.activeElement?.id === "key");
    await page.keyboard.type(told.key);
    await page.keyboard.press("Enter");
    assert.equal((await watched).status(), 200);
    await page.waitForFunction(() => document.querySelectorAll("#list p").length === 1);
    const one = await ordered({ brief: kind });
    await page.waitForFunction(() => document.querySelector("#list .st.NEW"));
    const sent = await shop("POST", "/pay/ajax/send", { id: one.id, pay_tp: "zfb.qrcode" });
    await page.waitForFunction(() => document.querySelector("#list .st.WAIT"));
    const before = asked;
    await new Promise((done) => setTimeout(done, 10_000));
    assert.ok(asked <= before + 1, `${asked - before} questions while nothing happened`);
    await platform("/buyer/pay", { qr_code: sent.data });
    await page.waitForFunction(() => document.querySelector("#list .st.OK"));
    await look(opened, `${kind}-1-followed`);
    await opened.context.close();
  }
}
