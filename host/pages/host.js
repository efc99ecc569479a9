// @ts-check
// How the pages speak with the host.

/** @typedef {{pay_tp: string, pay_target: string, default: boolean, platform: string, title: {zh: string, en: string}, takes: {what: string, optional: boolean}[]}} Way */
/** @typedef {Record<string, any> & {id: string, st: "NEW" | "WAIT" | "OK" | "FAIL", fee: number, cur: string}} Payment */

/** What the host refused, with its stable code. */
export class Refused extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {number} status
   */
  constructor(code, message, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** The host, as one caller sees it. */
export class Host {
  /** @param {string | null} ticket none where the browser has a session */
  constructor(ticket) {
    this.ticket = ticket;
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} [query]
   */
  address(path, query = {}) {
    const all = new URLSearchParams(query);
    if (this.ticket) all.set("ticket", this.ticket);
    return `${all}` ? `${path}?${all}` : path;
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} [query]
   */
  get(path, query) {
    return this.#ask(this.address(path, query), { method: "GET" });
  }

  /**
   * @param {string} path
   * @param {unknown} body
   * @param {Record<string, string>} [headers]
   */
  post(path, body, headers = {}) {
    return this.#tell("POST", path, body, headers);
  }

  /**
   * @param {string} path
   * @param {unknown} body
   * @param {Record<string, string>} headers
   */
  put(path, body, headers) {
    return this.#tell("PUT", path, body, headers);
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} headers
   */
  delete(path, headers) {
    return this.#ask(path, { method: "DELETE", headers });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} body
   * @param {Record<string, string>} headers
   */
  #tell(method, path, body, headers) {
    return this.#ask(this.ticket ? this.address(path) : path, {
      method,
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  }

  /**
   * @param {string} address
   * @param {RequestInit} request
   */
  async #ask(address, request) {
    let response;
    let answer;
    try {
      // Nothing keeps an answer, as each says itself; what the page's own head asked for ahead is the answer to the first question.
      response = await fetch(address, { ...request, credentials: "same-origin" });
      answer = await response.json();
    } catch {
      throw new Refused("e.page.offline", "", 0);
    }
    if (answer.ok) return answer.data;
    throw new Refused(answer.errCode ?? "e.page.unknown", answer.msg ?? "", response.status);
  }

  /**
   * Follows a payment: by events, and where those do not come by looking.
   * @param {string} id
   * @param {(payment: Payment) => void} changed
   * @returns {() => void} ends it
   */
  follow(id, changed) {
    let ended = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let looking;
    const look = async () => {
      try {
        const payment = await this.get("/pay/ajax/get", { id });
        if (!ended) changed(payment);
      } catch {
        // The next look may do better.
      }
      if (!ended) looking = setTimeout(look, 3000);
    };
    const lookInstead = () => {
      if (looking === undefined && !ended) looking = setTimeout(look, 1000);
    };
    const events = new EventSource(this.address("/pay/ajax/watch", { id }));
    events.addEventListener("payment", (event) => {
      clearTimeout(looking);
      looking = undefined;
      changed(JSON.parse(event.data));
    });
    events.addEventListener("error", lookInstead);
    return () => {
      ended = true;
      clearTimeout(looking);
      events.close();
    };
  }

  /**
   * Follows all payments that the caller may see: by events, and where those do not come by looking.
   * @param {Record<string, string>} of whose
   * @param {() => void} changed something may look different now
   * @returns {() => void} ends it
   */
  followAll(of, changed) {
    /** @type {ReturnType<typeof setInterval> | undefined} */
    let looking;
    const events = new EventSource(this.address("/pay/ajax/watch", of));
    events.addEventListener("open", () => {
      clearInterval(looking);
      looking = undefined;
      changed();
    });
    events.addEventListener("error", () => {
      looking ??= setInterval(changed, 3000);
    });
    for (const told of ["payment", "behind"]) events.addEventListener(told, changed);
    return () => {
      clearInterval(looking);
      events.close();
    };
  }
}

/**
 * @template {HTMLElement} E
 * @param {string} id
 * @returns {E}
 */
export function place(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return /** @type {E} */ (found);
}
