"""Keeps a shop's books: what each sale was, how many there were, and what came in.

It runs once for every payment that became OK and was created with it. Everything that it writes commits together with the
payment's `apply_at`, or, when it raises, not at all; then it runs again later.
"""

import json

import wit_world
from componentize_py_types import Err
from wit_world.imports import events, kv, log
from wit_world.imports.log import Level


def record_sale(payment, delivery):
    # An operator may run a delivery again by hand: a sale that is in the books stays as it is.
    key = f"sale/{payment['id']}"
    known = kv.get(key)
    if known is not None:
        return {"recorded": False, "sale": json.loads(known)}

    # Whole cents, never a float. The host adds, in 64 bits; numbers go to it and come back as texts.
    cur = payment["cur"]
    number = int(kv.increment(f"sales/{cur}/count", "1"))
    sold = int(kv.increment(f"sales/{cur}/minor", str(payment["fee"])))
    sale = {
        "number": number,
        "brief": payment["brief"],
        "fee": payment["fee"],
        "buyer": payment["buyer_nm"],
        "late": delivery.late,
    }
    kv.set(key, json.dumps(sale, ensure_ascii=False).encode())

    # Whoever watches the payment is told when all of it has committed.
    events.emit("sale", json.dumps(sale))
    log.write(Level.INFO, f"sale {number}: {payment['fee']} {cur}")
    return {"recorded": True, "number": number, "sold_minor": sold}


class WitWorld(wit_world.WitWorld):
    """The world's export: both the payment and the answer are JSON texts."""

    def run(self, payment, delivery):
        try:
            return json.dumps(record_sale(json.loads(payment), delivery))
        except Exception as error:
            # What is raised is the delivery's error.
            raise Err(told(error))


def told(error):
    """An error with its lines. (`traceback` looks for the source file, and there are no files.)"""
    lines = [f"{type(error).__name__}: {error}"]
    trace = error.__traceback__
    while trace is not None:
        lines.append(f"  line {trace.tb_lineno} in {trace.tb_frame.f_code.co_name}")
        trace = trace.tb_next
    return "\n".join(lines)
