// Keeps a shop's books: what each sale was, how many there were, and what came in.
const key = `sale/${payment.id}`;
const known = kv.get(key);
if (known) return { recorded: false, sale: known }; // run again by hand: it is in the books

const number = kv.increment(`sales/${payment.cur}/count`);
const sold = kv.increment(`sales/${payment.cur}/minor`, payment.fee); // whole cents, never a float
const sale = { number, brief: payment.brief, fee: payment.fee, buyer: payment.buyer_nm, late: delivery.late };
kv.set(key, sale);
events.emit("sale", sale); // whoever watches the payment is told when all of it has committed
log.info(`sale ${number}: ${payment.fee} ${payment.cur}`);
return { recorded: true, number, sold_minor: sold };
