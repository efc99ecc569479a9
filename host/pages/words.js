// @ts-check
// What the pages say, in Chinese and English, and how amounts and times are written.

/** @typedef {"zh" | "en"} Language */

const KEPT_AS = "walnut.language";

/** Decimals by ISO 4217, which browsers do not keep to (they write forint and rupiah without any); 2 where nothing is said. */
const PLACES = /** @type {Record<string, number>} */ ({ JPY: 0, KRW: 0, VND: 0, KWD: 3 });

/** @returns {Language} */
function preferred() {
  try {
    const kept = localStorage.getItem(KEPT_AS);
    if (kept === "zh" || kept === "en") return kept;
  } catch {
    // A browser that keeps nothing has a preference all the same.
  }
  const first = navigator.languages.find((name) => /^(zh|en)\b/i.test(name));
  return first && /^zh/i.test(first) ? "zh" : "en";
}

/**
 * The words of a page.
 * @template {Record<string, string>} W
 */
export class Words {
  /** @type {Map<string, any>} what was made of locales */
  #formats = new Map();

  /** @param {{zh: W, en: W}} all */
  constructor(all) {
    this.all = all;
    /** @type {Language} */
    this.language = preferred();
  }

  /**
   * @param {keyof W & string} name
   * @param {Record<string, string>} [values] for `{name}` in the text
   */
  say(name, values = {}) {
    const text = this.all[this.language][name] ?? name;
    return text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
  }

  /** The locale of amounts and times: the reader's own where it speaks the page's language. */
  get locale() {
    const own = navigator.languages.find((name) => name.toLowerCase().startsWith(this.language));
    return own ?? (this.language === "zh" ? "zh-CN" : "en");
  }

  /** Writes the words into everything that names one. */
  write() {
    document.documentElement.lang = this.language === "zh" ? "zh-CN" : "en";
    for (const place of document.querySelectorAll("[data-word]")) {
      const name = place.getAttribute("data-word");
      if (name) place.textContent = this.say(name);
    }
    for (const place of document.querySelectorAll("[data-label]")) {
      const name = place.getAttribute("data-label");
      if (name) place.setAttribute("aria-label", this.say(name));
    }
  }

  /**
   * Lets the reader switch.
   * @param {HTMLSelectElement} select
   * @param {() => void} changed
   */
  switchedBy(select, changed) {
    select.value = this.language;
    select.addEventListener("change", () => {
      this.language = select.value === "zh" ? "zh" : "en";
      try {
        localStorage.setItem(KEPT_AS, this.language);
      } catch {
        // Then it holds for this page.
      }
      this.write();
      changed();
    });
  }

  /**
   * An amount of minor units. It stays a text of digits all the way: a number would round.
   * @param {number | string} minor
   * @param {string} currency
   */
  amount(minor, currency) {
    const code = currency === "RMB" ? "CNY" : currency;
    const places = this.places(code);
    const format = this.#format(code, places);
    const digits = String(minor).padStart(places + 1, "0");
    const whole = digits.slice(0, digits.length - places);
    const decimal = places === 0 ? whole : `${whole}.${digits.slice(-places)}`;
    return format ? format.format(/** @type {any} */ (decimal)) : `${decimal} ${currency}`;
  }

  /**
   * How many decimals a currency has.
   * @param {string} currency
   */
  places(currency) {
    return PLACES[currency] ?? 2;
  }

  /**
   * @param {string} code
   * @param {number} places
   */
  #format(code, places) {
    return this.#made(`${code} ${places}`, (locale) => {
      try {
        return new Intl.NumberFormat(locale, { style: "currency", currency: code, minimumFractionDigits: places, maximumFractionDigits: places });
      } catch {
        return null;
      }
    });
  }

  /**
   * What takes a browser longer to make than to use: made once for each locale.
   * @template T
   * @param {string} what
   * @param {(locale: string) => T} make
   * @returns {T}
   */
  #made(what, make) {
    const key = `${this.locale} ${what}`;
    if (!this.#formats.has(key)) this.#formats.set(key, make(this.locale));
    return this.#formats.get(key);
  }

  /** @param {number} ms since 1970 */
  time(ms) {
    return this.#made("time", (locale) => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" })).format(ms);
  }

  /** The reader's time zone, in which days begin. */
  get zone() {
    return this.#made("zone", () => Intl.DateTimeFormat().resolvedOptions().timeZone);
  }

  /** @param {number} ms a length */
  length(ms) {
    const seconds = Math.max(0, Math.ceil(ms / 1000));
    const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  }
}
