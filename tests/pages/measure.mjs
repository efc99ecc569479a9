// How soon a page is painted and usable, and what it weighs, in a real browser:
//
//     node tests/pages/measure.mjs target/release/walnut target/tools/pages
//
// The first argument is the binary, the second where tests/install puts what drives a browser. Each page is opened anew, with
// nothing kept from before, on a slow phone (a quarter of this machine's processor, 1.6 Mbit/s, 150 ms for each answer) and
// without any of that.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const [binary, tools, times = "11"] = process.argv.slice(2);
const need = createRequire(join(resolve(tools), "package.json"));
const { chromium } = need("playwright-core");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** What Chromium's own tools call a slow phone. */
const SLOW = { processor: 4, latency: 150, download: (1.6e6 / 8) * 0.9, upload: (0.75e6 / 8) * 0.9 };

const folder = await mkdtemp(join(tmpdir(), "walnut-pages-"));
const running = [];

/** Starts the binary, and gives what it says once that is like this. */
async function start(args, pattern) {
  const program = spawn(resolve(binary), args, { stdio: ["ignore", "pipe", "inherit"] });
  running.push(program);
  for await (const line of createInterface({ input: program.stdout })) {
    const found = pattern.exec(line);
    if (found) return found;
  }
  throw new Error(`walnut ${args[0]} ended`);
}

async function ask(host, key, method, path, body) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const response = await fetch(host + path, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
  return answer.data;
}

/** Opens a page in a window of its own. */
async function opened(browser, address, usable, cookies, slow) {
  const context = await browser.newContext({
    viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, locale: "zh-CN",
  });
  if (cookies) await context.addCookies(cookies);
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  if (slow) {
    await session.send("Network.enable");
    await session.send("Emulation.setCPUThrottlingRate", { rate: SLOW.processor });
    await session.send("Network.emulateNetworkConditions", {
      offline: false, latency: SLOW.latency, downloadThroughput: SLOW.download, uploadThroughput: SLOW.upload,
    });
  }
  // The page's own clock, which begins when its address is asked for.
  await page.addInitScript((usable) => {
    const look = () => {
      const found = document.querySelector(usable);
      if (found && found.getClientRects().length > 0) window.usableAt = performance.now();
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, usable);
  await page.goto(address);
  await page.waitForFunction(() => window.usableAt > 0 && performance.getEntriesByName("first-contentful-paint").length > 0);
  const found = await page.evaluate(() => {
    const loaded = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    const files = loaded.filter((entry) => /\/pay\/(pages|cashier|till|console)/.test(entry.name));
    const painted = (name) => performance.getEntriesByName(name)[0].startTime;
    return {
      first: painted("first-paint"),
      content: painted("first-contentful-paint"),
      usable: window.usableAt,
      files: files.length,
      bytes: files.reduce((sum, entry) => sum + entry.encodedBodySize, 0),
    };
  });
  await context.close();
  return found;
}

function median(numbers) {
  return Math.round([...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]);
}

try {
  const data = join(folder, "data");
  const [, host] = await start(["serve", "--data", data, "--listen", "127.0.0.1:0", "--public-url", "http://127.0.0.1", "--allow-local-gateways"], /listens on (\S+)/);
  const [line] = await start(["sandbox", "--wx-port", "0", "--wx-tls-port", "0", "--zfb-port", "0", "--paypal-port", "0", "--url", host, "--json"], /^\{.*\}$/);
  const root = (await readFile(join(data, "root.key"), "utf8")).trim();
  await ask(host, root, "POST", "/pay/domain", { name: "shop" });
  const { key } = await ask(host, root, "POST", "/pay/domain/shop/key", { test: true });
  const { settings } = JSON.parse(line).zfb;
  await ask(host, key, "PUT", "/pay/target/zfb/main", { test: true, settings });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
  const order = async (more = {}) => {
    const made = await ask(host, key, "POST", "/pay/ajax/create", { brief: "两杯茶", fee: 2300, ...more });
    return `${host}/pay/cashier/${made.id}?ticket=${encodeURIComponent(made.ticket)}`;
  };
  for (let number = 0; number < 50; number++) await order();
  const signing = await fetch(`${host}/pay/session`, {
    method: "POST", headers: { "content-type": "application/json", "x-walnut-page": "till" }, body: JSON.stringify({ key }),
  });
  const [name, value] = signing.headers.get("set-cookie").split(";")[0].split("=");
  const cookies = [{ name, value, url: `${host}/pay` }];
  const chosen = await order();
  const id = new URL(chosen).pathname.split("/").pop();
  await ask(host, key, "POST", "/pay/ajax/send", { id, pay_tp: "zfb.qrcode" });
  const pages = [
    ["the buyer's: the ways to pay", await order(), "#ways button", null],
    ["the buyer's: the code", chosen, ".code img", null],
    ["the till", `${host}/pay/till`, "#fee", cookies],
    ["the console: fifty payments", `${host}/pay/console#payments`, "#list table", cookies],
  ];
  console.log("page | files | bytes | on a slow phone: first paint, content, usable | here: first paint, content, usable (ms, medians)");
  for (const [title, address, usable, signedIn] of pages) {
    const told = [];
    let weight;
    for (const slow of [true, false]) {
      const runs = [];
      for (let run = 0; run < Number(times); run++) runs.push(await opened(browser, address, usable, signedIn, slow));
      weight = runs[0];
      told.push(["first", "content", "usable"].map((what) => median(runs.map((run) => run[what]))).join(", "));
    }
    console.log(`${title} | ${weight.files} | ${weight.bytes} | ${told.join(" | ")}`);
  }
  await browser.close();
} finally {
  for (const program of running) {
    program.kill("SIGTERM");
    if (program.exitCode === null) await once(program, "exit");
  }
  await rm(folder, { recursive: true, force: true });
}
