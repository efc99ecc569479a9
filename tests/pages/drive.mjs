// Drives a page in a real browser as a person does. Told by its first argument, one JSON object:
// {"story": …, "tools": where the packages are, "browser": the program, "shots": where screenshots go, …}.
// Ends with 0 when everything was as it should be, and otherwise says what was not.

import { createRequire } from "node:module";
import { strict as assert } from "node:assert";
import { join } from "node:path";

const told = JSON.parse(process.argv[2]);
const need = createRequire(join(told.tools, "package.json"));
const { chromium } = need("playwright-core");
const { PNG } = need("pngjs");
const jsQR = need("jsqr").default ?? need("jsqr");
const axe = need.resolve("axe-core/axe.min.js");

/** Plenty for a machine under load; nothing depends on it when all is well. */
const PATIENCE = 300_000;

const LOOKS = {
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, locale: "zh-CN", colorScheme: "light" },
  desktop: { viewport: { width: 1280, height: 800 }, locale: "en-US", colorScheme: "dark" },
};

const browser = await chromium.launch({
  executablePath: told.browser,
  // A browser of root has no sandbox of its own; everything it opens here is this machine's.
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});

/** Opens a page; whatever goes wrong on it is an error here. */
async function open(look, address) {
  const context = await browser.newContext({ ...LOOKS[look], timezoneId: "Asia/Shanghai" });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(told.host) && !request.url().startsWith("data:")) wrong.push(`asked ${request.url()}`);
  });
  page.on("console", (line) => {
    if (/Content Security Policy|Refused to/.test(line.text())) wrong.push(line.text());
  });
  await page.goto(address);
  return { page, context, wrong };
}

/** Takes a picture, and looks for what keeps people from using the page. */
async function look(opened, name) {
  const { page, wrong } = opened;
  const picture = await page.screenshot({ path: join(told.shots, `${told.story}-${name}.png`), fullPage: true });
  const found = await audit(page);
  assert.deepEqual(found, [], `${name}: accessibility`);
  assert.deepEqual(wrong, [], name);
  // A phone zooms out to show all, so that its own measure of the window grows with what is too wide.
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= page.viewportSize().width, `${name}: ${wide} pixels wide`);
  return picture;
}

/** axe-core comes in beside the page's own policy, in a world of its own. */
async function audit(page) {
  const session = await page.context().newCDPSession(page);
  const { frameTree } = await session.send("Page.getFrameTree");
  const { executionContextId } = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id, worldName: "axe" });
  const { readFileSync } = await import("node:fs");
  const run = async (expression) => {
    const said = await session.send("Runtime.evaluate", { expression, contextId: executionContextId, awaitPromise: true, returnByValue: true });
    if (said.exceptionDetails) throw new Error(said.exceptionDetails.exception?.description ?? said.exceptionDetails.text);
    return said.result.value;
  };
  await run(`${readFileSync(axe, "utf8")}; 0`);
  const found = await run(`axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
    .then((report) => report.violations.filter((v) => v.impact !== "minor").map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; ")))`);
  await session.detach();
  return found;
}

/** What a camera reads on a picture. */
function read(picture) {
  const image = PNG.sync.read(picture);
  return jsQR(new Uint8ClampedArray(image.data), image.width, image.height)?.data;
}

async function says(page, id, pattern) {
  await page.waitForFunction(([id, source]) => new RegExp(source).test(document.getElementById(id)?.textContent ?? ""), [id, pattern.source]);
}

/** The simulated platform's own addresses. */
async function platform(path, body) {
  const response = await fetch(told.alipay + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const answer = await response.json();
  assert.notEqual(answer.ok, false, `${path}: ${JSON.stringify(answer)}`);
  return answer;
}

/** The shop's own server. */
async function shop(method, path, body) {
  const response = await fetch(told.host + path, {
    method,
    headers: { authorization: `Bearer ${told.key}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  assert.ok(answer.ok, `${path}: ${JSON.stringify(answer)}`);
  return answer.data;
}

async function ordered(more = {}) {
  const made = await shop("POST", "/pay/ajax/create", { brief: "两杯茶 two cups of tea", fee: 2300, return_url: `${told.host}/healthz`, ...more });
  return { id: made.id, cashier: `${told.host}/pay/cashier/${made.id}?ticket=${encodeURIComponent(made.ticket)}` };
}

async function code(buyer) {
  return (await platform("/buyer/code", { buyer })).auth_code;
}

const stories = {
  /** The buyer scans, and the page turns green by itself. */
  async cashier() {
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
  },

  /** Without events the page looks by itself. */
  async polling() {
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
  },

  /** What ends unpaid says so; a broken link says what to do. */
  async unpaid() {
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
  },

  /** By the keyboard alone. */
  async keyboard() {
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
  },

  /** The shop assistant takes money from one customer after another without touching the mouse. */
  async till() {
    for (const kind of ["desktop", "phone"]) {
      const opened = await open(kind, `${told.host}/pay/till`);
      const { page } = opened;
      const type = async (text) => {
        await page.keyboard.type(text);
        await page.keyboard.press("Enter");
      };
      await page.waitForFunction(() => document.activeElement?.id === "key");
      await look(opened, `${kind}-1-sign-in`);
      await type(told.key);
      await page.waitForFunction(() => document.activeElement?.id === "fee");
      const before = await page.locator("#count").textContent({ timeout: PATIENCE });
      await look(opened, `${kind}-2-amount`);

      await type("12.5");
      await page.waitForFunction(() => document.activeElement?.id === "code");
      await says(page, "due", /12\.50/);
      await type("12345");
      await says(page, "said", /no payment code|不是微信或支付宝/);
      await look(opened, `${kind}-3-code`);
      await type(await code("pays"));
      await page.locator("#result.is-good").waitFor();
      await page.waitForFunction(() => document.activeElement?.id === "next");
      await look(opened, `${kind}-4-paid`);
      await page.keyboard.press("Enter");
      await page.waitForFunction((before) => document.getElementById("count")?.textContent !== before, before);

      await page.waitForFunction(() => document.activeElement?.id === "fee");
      await type("8");
      await page.waitForFunction(() => document.activeElement?.id === "code");
      await type(await code("is_asked"));
      await page.locator("#result.is-open").waitFor();
      await says(page, "result-text", /\d/);
      await look(opened, `${kind}-5-waiting`);
      const trades = await (await fetch(`${told.alipay}/trades`)).json();
      const asked = trades.find((trade) => trade.status === "WAIT_BUYER_PAY" && !trade.paid_ms);
      await platform("/buyer/confirm", { out_trade_no: asked.out_trade_no });
      await page.locator("#result.is-good").waitFor();
      await page.keyboard.press("Enter");

      await page.waitForFunction(() => document.activeElement?.id === "fee");
      await type("9");
      await page.waitForFunction(() => document.activeElement?.id === "code");
      await type(await code("has_too_little"));
      await page.locator("#result.is-bad").waitFor();
      await look(opened, `${kind}-6-declined`);
      await page.keyboard.press("Enter");

      await page.waitForFunction(() => document.activeElement?.id === "fee");
      await type("7");
      await page.waitForFunction(() => document.activeElement?.id === "code");
      await type(await code("is_asked"));
      await page.locator("#result.is-open").waitFor();
      await page.waitForFunction(() => document.activeElement?.id === "reverse");
      await page.keyboard.press("Enter");
      await page.locator("#result.is-bad").waitFor();
      await look(opened, `${kind}-7-undone`);
      await page.locator("#sign-out").click();
      await page.waitForFunction(() => document.activeElement?.id === "key");
      await page.reload();
      await page.locator("#sign-in").waitFor();
      await opened.context.close();
    }
  },

  /** An owner looks payments up, gives money back, writes a callback and puts an account. */
  async console() {
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
      await page.locator("#room input").fill(`note-${kind}`);
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
  },

  /** The operator sees every domain's, and gives keys. */
  async operator() {
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
  },
};

try {
  await stories[told.story]();
} finally {
  await browser.close();
}
