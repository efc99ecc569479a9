// Keeps a shop's books: what each sale was, how many there were, and what came in.
//
// It runs once for every payment that became OK and was created with it. Everything that it writes commits together with
// the payment's `apply_at`, or, when it throws, not at all; then it runs again later.
import * as events from 'walnut:pay/events@0.1.0';
import * as kv from 'walnut:pay/kv@0.1.0';
import * as log from 'walnut:pay/log@0.1.0';

// Values of `kv` are bytes; here they are texts in UTF-8.
const bytes = (text) => Uint8Array.from(unescape(encodeURIComponent(text)), (char) => char.charCodeAt(0));
const text = (bytes) => decodeURIComponent(escape(String.fromCharCode(...bytes)));

function recordSale(payment, delivery) {
  // An operator may run a delivery again by hand: a sale that is in the books stays as it is.
  const key = `sale/${payment.id}`;
  const known = kv.get(key);
  if (known) return { recorded: false, sale: JSON.parse(text(known)) };

  // Whole cents, never a fraction. The host adds, in 64 bits; numbers go to it and come back as texts.
  const number = Number(kv.increment(`sales/${payment.cur}/count`, '1'));
  const sold = Number(kv.increment(`sales/${payment.cur}/minor`, String(payment.fee)));
  const sale = { number, brief: payment.brief, fee: payment.fee, buyer: payment.buyer_nm, late: delivery.late };
  kv.set(key, bytes(JSON.stringify(sale)));

  // Whoever watches the payment is told when all of it has committed.
  events.emit('sale', JSON.stringify(sale));
  log.write('info', `sale ${number}: ${payment.fee} ${payment.cur}`);
  return { recorded: true, number, sold_minor: sold };
}

// The world's export: both the payment and the answer are JSON texts. What is thrown has to be a text too.
export function run(payment, delivery) {
  try {
    return JSON.stringify(recordSale(JSON.parse(payment), delivery));
  } catch (error) {
    // A failure of the host, such as `quota`, is in `payload`.
    const why = error.payload ? `${error.payload.tag} ${error.payload.val ?? ''}` : error;
    throw `${why}\n${error.stack ?? ''}`;
  }
}
