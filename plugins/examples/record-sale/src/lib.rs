//! A callback that keeps a shop's books: what each sale was, how many there were, and what came in.
//!
//! It runs once for every payment of the domain that became OK and was created with it. Everything
//! that it writes commits together with the payment's `apply_at`: when this function returns an
//! error, or the machine loses power in the middle, none of it has happened, and it runs again.

use walnut_sdk::callback::{Delivery, Failure, Payment};
use walnut_sdk::serde_json::{Value, json};
use walnut_sdk::{callback, events, info, kv};

callback!(record_sale);

fn record_sale(payment: Payment, delivery: Delivery) -> Result<Value, Failure> {
    // An operator may run a delivery again by hand: a sale that is in the books stays as it is.
    let sale_key = format!("sale/{}", payment.id());
    if let Some(sale) = kv::get_json::<Value>(&sale_key)? {
        return Ok(json!({"recorded": false, "sale": sale}));
    }

    // Whole fen (cents, yen…), never a float; each currency has its own books.
    let total = payment.total()?;
    let currency = total.currency();
    let sold = kv::increment(&format!("sales/{}/minor", currency.code()), total.minor())?;
    let number = kv::increment(&format!("sales/{}/count", currency.code()), 1)?;

    let sale = json!({
        "number": number,
        "brief": payment.brief(),
        "amount": total.to_decimal(),
        "currency": currency.code(),
        "buyer": payment.buyer_name(),
        "paid_by": payment.pay_type(),
        "paid_ms": payment.time_ms("close_at"),
        "late": delivery.late,
    });
    kv::set_json(&sale_key, &sale)?;

    // Whoever watches the payment is told when all of it has committed.
    events::emit("sale", &sale)?;
    info!("sale {number}: {} {}", total.to_decimal(), currency.code());

    // The payment shows this as its `apply_re`.
    Ok(json!({"recorded": true, "number": number, "sold_minor": sold}))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use walnut_sdk::native::{Double, with};

    fn sell(books: &Rc<Double>, id: &str, fee: u64) -> Value {
        let json = json!({"id": id, "brief": "茶", "fee": fee, "cur": "RMB", "st": "OK",
            "pay_tp": "zfb.qrcode", "buyer_nm": "", "close_at": 1_735_660_800_000_u64});
        let payment = Payment::from_json(&json.to_string()).unwrap();
        let delivery = Delivery {
            key: id.to_owned(),
            try_no: 1,
            callback: "books".to_owned(),
            late: false,
        };
        with(books.clone(), || record_sale(payment, delivery)).unwrap()
    }

    #[test]
    fn the_books_add_up() {
        let books = Rc::new(Double::new());
        sell(&books, "a", 2300);
        let second = sell(&books, "b", 1);
        assert_eq!(
            second,
            json!({"recorded": true, "number": 2, "sold_minor": 2301})
        );
        assert_eq!(books.data()["sales/CNY/minor"], b"2301");
        let sale: Value = walnut_sdk::serde_json::from_slice(&books.data()["sale/a"]).unwrap();
        assert_eq!(sale["amount"], "23.00");
        assert_eq!(books.events().len(), 2);
    }

    #[test]
    fn a_sale_is_in_the_books_once() {
        let books = Rc::new(Double::new());
        sell(&books, "a", 2300);
        assert_eq!(sell(&books, "a", 2300)["recorded"], false);
        assert_eq!(books.data()["sales/CNY/minor"], b"2300");
    }
}
