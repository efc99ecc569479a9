// A real browser, and what a story does with it as a person does.

import { createRequire } from "node:module";
import { strict as assert } from "node:assert";
import { join } from "node:path";

/** What the test told: where everything is. */
export const told = JSON.parse(process.argv[2]);
const need = createRequire(join(told.tools, "package.json"));
const { chromium } = need("playwright-core");
const { PNG } = need("pngjs");
const jsQR = need("jsqr").default ?? need("jsqr");
const axe = need.resolve("axe-core/axe.min.js");
/** What reads QR codes, for a page. */
export const reader = need.resolve("jsqr");

/** Plenty for a machine under load; nothing depends on it when all is well. */
export const PATIENCE = 300_000;

const LOOKS = {
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, locale: "zh-CN", colorScheme: "light" },
  desktop: { viewport: { width: 1280, height: 800 }, locale: "en-US", colorScheme: "dark" },
};

/** A camera that shows this film. */
const CAMERA = told.film
  ? ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${told.film}`]
  : [];

export const browser = await chromium.launch({
  executablePath: told.browser,
  // A browser of root has no sandbox of its own; everything it opens here is this machine's.
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", ...CAMERA],
});

/** Opens a page; whatever goes wrong on it is an error here. `prepare` has the window before anything is loaded. */
export async function open(look, address, more = {}, prepare = async (_context) => {}) {
  const { also = [], ...options } = more;
  const context = await browser.newContext({ ...LOOKS[look], timezoneId: "Asia/Shanghai", ...options });
  await prepare(context);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("request", (request) => {
    if (![told.host, "data:", "blob:", ...also].some((known) => request.url().startsWith(known))) wrong.push(`asked ${request.url()}`);
  });
  page.on("console", (line) => {
    if (/Content Security Policy|Refused to/.test(line.text())) wrong.push(line.text());
  });
  await page.goto(address);
  return { page, context, wrong };
}

/** Opens this place of the console, as the owner. */
export async function signedIn(kind, at) {
  const opened = await open(kind, `${told.host}/pay/console${at}`);
  const { page } = opened;
  page.on("dialog", (dialog) => dialog.accept());
  await page.waitForFunction(() => document.activeElement?.id === "key");
  await page.keyboard.type(told.key);
  await page.keyboard.press("Enter");
  return opened;
}

/** Takes a picture, and looks for what keeps people from using the page. */
export async function look(opened, name) {
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
export function read(picture) {
  const image = PNG.sync.read(picture);
  return jsQR(new Uint8ClampedArray(image.data), image.width, image.height)?.data;
}

export async function says(page, id, pattern) {
  await page.waitForFunction(([id, source]) => new RegExp(source).test(document.getElementById(id)?.textContent ?? ""), [id, pattern.source]);
}

/** A simulated platform's own addresses. */
export async function platform(path, body, at = told.alipay) {
  const response = await fetch(at + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const answer = await response.json();
  assert.notEqual(answer.ok, false, `${path}: ${JSON.stringify(answer)}`);
  return answer;
}

/** The shop's own server. */
export async function shop(method, path, body) {
  const response = await fetch(told.host + path, {
    method,
    headers: { authorization: `Bearer ${told.key}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  assert.ok(answer.ok, `${path}: ${JSON.stringify(answer)}`);
  return answer.data;
}

export async function ordered(more = {}) {
  const made = await shop("POST", "/pay/ajax/create", { brief: "两杯茶 two cups of tea", fee: 2300, return_url: `${told.host}/healthz`, ...more });
  return { id: made.id, cashier: `${told.host}/pay/cashier/${made.id}?ticket=${encodeURIComponent(made.ticket)}` };
}

/** What the phone of such a buyer shows the till. */
export async function code(buyer) {
  return (await platform("/buyer/code", { buyer })).auth_code;
}

/** What the camera sees from now on: this code, held before it. */
export async function film(text) {
  const { writeFile } = await import("node:fs/promises");
  const code = (need("qrcode-generator").default ?? need("qrcode-generator"))(0, "M");
  code.addData(text);
  code.make();
  const [width, height, dot] = [640, 480, 12];
  const count = code.getModuleCount();
  const light = Buffer.alloc(width * height, 235);
  const [left, top] = [Math.floor((width - count * dot) / 2), Math.floor((height - count * dot) / 2)];
  for (let row = 0; row < count * dot; row++) {
    for (let column = 0; column < count * dot; column++) {
      if (code.isDark(Math.floor(row / dot), Math.floor(column / dot))) light[(top + row) * width + left + column] = 16;
    }
  }
  const picture = Buffer.concat([Buffer.from("FRAME\n"), light, Buffer.alloc((width * height) / 2, 128)]);
  await writeFile(told.film, Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\n`), picture, picture]));
}
