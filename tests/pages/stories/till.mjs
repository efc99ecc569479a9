// A shop assistant at the till.

import { strict as assert } from "node:assert";
import { PATIENCE, code, film, look, open, platform, reader, says, shop, told } from "../browser.mjs";

/** The shop assistant takes money from one customer after another without touching the mouse. */
export async function till() {
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
}

/** In yen there are no decimals, in Kuwaiti dinar three; what an amount is read as does not depend on the browser. */
export async function currencies() {
  for (const kind of ["desktop", "phone"]) {
    const opened = await open(kind, `${told.host}/pay/till`);
    const { page } = opened;
    const type = async (text) => {
      await page.keyboard.type(text);
      await page.keyboard.press("Enter");
    };
    await page.waitForFunction(() => document.activeElement?.id === "key");
    await type(told.key);
    await page.waitForFunction(() => document.activeElement?.id === "fee");
    const known = await page.evaluate(async () => (await (await fetch("/pay/session")).json()).data.currencies);
    assert.deepEqual([known.RMB, known.JPY, known.KWD], [2, 0, 3]);
    const others = await page.evaluate(async (known) => {
      const { Words } = await import("/pay/pages/words.js");
      const words = new Words({ zh: {}, en: {} });
      return Object.entries(known).filter(([code, places]) => words.places(code) !== places ||
        words.amount("1234567", code).replace(/\D/g, "") !== "1234567");
    }, known);
    assert.deepEqual(others, [], "amounts are shown with the decimals by which they are meant");
    assert.equal(await page.locator("#currency").inputValue(), "RMB");

    await page.locator("#currency").selectOption("JPY");
    await page.waitForFunction(() => document.activeElement?.id === "fee");
    await type("12.5");
    await says(page, "said", /2300/);
    await look(opened, `${kind}-1-yen`);
    await page.locator("#fee").fill("500");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement?.id === "code");
    await says(page, "due", /(¥|￥)\s?500$/);
    await type(await code("pays"));
    // Alipay takes yuan only, which is told before anything is taken.
    await says(page, "said", /JPY/);
    await look(opened, `${kind}-2-not-in-yen`);
    const [made] = await shop("GET", "/pay/ajax/query?limit=1");
    assert.deepEqual([made.fee, made.cur], [500, "JPY"]);
    await page.locator("#cancel").click();

    // The till stays with its currency, and takes dinar to the third place.
    await page.reload();
    await page.waitForFunction(() => document.activeElement?.id === "fee");
    assert.equal(await page.locator("#currency").inputValue(), "JPY");
    await page.locator("#currency").selectOption("KWD");
    await page.locator("#fee").fill("1.2345");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator("#amount-form").isVisible(), true);
    await page.locator("#fee").fill("1.23");
    await page.keyboard.press("Enter");
    await says(page, "due", /1\.230/);
    await look(opened, `${kind}-3-dinar`);
    await page.locator("#cancel").click();
    await opened.context.close();
  }
}

/** Where the browser reads codes, the till has a camera; elsewhere it does not show one. */
export async function camera() {
  for (const kind of ["phone", "desktop"]) {
    for (const reads of [false, true]) {
      const opened = await open(kind, `${told.host}/pay/till`, { permissions: ["camera"] }, async (context) => {
        // Debian's build reads no codes by itself, so that its part is played by jsQR, on the film's own pictures.
        await context.addInitScript(() => { delete window.BarcodeDetector; });
        if (!reads) return;
        await context.addInitScript({ path: reader });
        await context.addInitScript(() => {
          window.BarcodeDetector = class {
            async detect(video) {
              const canvas = document.createElement("canvas");
              [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
              const context = canvas.getContext("2d");
              context.drawImage(video, 0, 0);
              const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
              const found = window.jsQR(data, width, height);
              return found ? [{ rawValue: found.data }] : [];
            }
          };
        });
      });
      const { page } = opened;
      await page.waitForFunction(() => document.activeElement?.id === "key");
      await page.keyboard.type(told.key);
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => document.activeElement?.id === "fee");
      await page.keyboard.type("6");
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => document.activeElement?.id === "code");
      assert.equal(await page.locator("#use-camera").isVisible(), reads);
      if (reads) {
        await look(opened, `${kind}-1-offered`);
        await film(await code("pays"));
        await page.locator("#use-camera").click();
        await page.locator("#result.is-good").waitFor();
        assert.equal(await page.locator("#camera").isVisible(), false, "the camera is off again");
        await look(opened, `${kind}-2-paid`);
      }
      await opened.context.close();
    }
  }
}
