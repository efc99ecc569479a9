// Keeps a shop's books: how many sales there were, and what came in.
//
// It runs once for every payment that became OK and was created with it. Everything that it writes commits together with the
// payment's `apply_at`, or, when it fails, not at all; then it runs again later.
#include "callback_plugin.h"
#include <stdlib.h>
#include <string.h>

typedef callback_plugin_string_t text_t;

static text_t text(const char *words) { return (text_t){(uint8_t *)words, strlen(words)}; }

// The two texts, one behind the other.
static text_t join(text_t one, text_t other) {
  uint8_t *made = malloc(one.len + other.len);
  memcpy(made, one.ptr, one.len);
  memcpy(made + one.len, other.ptr, other.len);
  return (text_t){made, one.len + other.len};
}

// The value of a field of a JSON object, as it stands there; a text without its quotes. Empty where there is none. Fields of
// objects within it are none of its own.
static text_t field(text_t json, const char *name) {
  size_t length = strlen(name), depth = 0;
  for (size_t at = 0; at < json.len; at++) {
    uint8_t c = json.ptr[at];
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
    if (c != '"') continue;
    size_t start = ++at;
    while (at < json.len && json.ptr[at] != '"') at += json.ptr[at] == '\\' ? 2 : 1;
    if (depth != 1 || at + 1 >= json.len || json.ptr[at + 1] != ':') continue;
    if (at - start != length || memcmp(json.ptr + start, name, length) != 0) continue;
    size_t value = at + 2, end = value;
    if (json.ptr[value] == '"') {
      for (end = ++value; end < json.len && json.ptr[end] != '"';) end += json.ptr[end] == '\\' ? 2 : 1;
    } else {
      while (end < json.len && json.ptr[end] != ',' && json.ptr[end] != '}') end++;
    }
    return (text_t){json.ptr + value, end - value};
  }
  return text("");
}

// Adds to a counter of the domain, and gives the sum.
static bool add(text_t key, text_t by, text_t *sum, text_t *err) {
  walnut_pay_kv_failure_t failure;
  if (walnut_pay_kv_increment(&key, &by, sum, &failure)) return true;
  *err = failure.tag == WALNUT_PAY_KV_FAILURE_QUOTA ? text("the domain's room is used up") : failure.val.denied;
  return false;
}

// The world's export: both the payment and the answer are JSON texts; on false, `err` is the delivery's error.
bool exports_callback_plugin_run(callback_plugin_json_t *payment, callback_plugin_delivery_t *delivery,
                                 callback_plugin_json_t *ret, callback_plugin_string_t *err) {
  (void)delivery;
  text_t id = field(*payment, "id"), fee = field(*payment, "fee"), cur = field(*payment, "cur");

  // An operator may run a delivery again by hand: a sale that is in the books stays as it is.
  text_t key = join(text("sale/"), id);
  callback_plugin_option_list_u8_t known;
  walnut_pay_kv_failure_t failure;
  if (!walnut_pay_kv_get(&key, &known, &failure)) {
    *err = text("the books cannot be read");
    return false;
  }
  if (known.is_some) {
    *ret = text("{\"recorded\":false}");
    return true;
  }

  // Whole cents, never a fraction. The host adds, in 64 bits.
  text_t number, sold, books = join(text("sales/"), cur);
  if (!add(join(books, text("/count")), text("1"), &number, err)) return false;
  if (!add(join(books, text("/minor")), fee, &sold, err)) return false;
  text_t sale = join(join(text("{\"number\":"), number), join(join(text(",\"fee\":"), fee), text("}")));
  callback_plugin_list_u8_t value = {sale.ptr, sale.len};
  if (!walnut_pay_kv_set(&key, &value, &failure)) {
    *err = text("the books cannot be written");
    return false;
  }

  // Whoever watches the payment is told when all of it has committed.
  text_t name = text("sale");
  if (!walnut_pay_events_emit(&name, &sale, err)) return false;
  text_t line = join(text("sale "), number);
  walnut_pay_log_write(WALNUT_PAY_LOG_LEVEL_INFO, &line);

  *ret = join(join(text("{\"recorded\":true,\"number\":"), number), join(join(text(",\"sold_minor\":"), sold), text("}")));
  return true;
}
