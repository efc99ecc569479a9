//! The defects of the original, each proven to be impossible here. Every test bears the defect's number
//! and says what holds in its place.
//!
//! | defect of the original | test in |
//! |---|---|
//! | 1 a bad signature sets FAIL, and the genuine notification is ignored | [`evidence`] |
//! | 2 `pay re -s` answers `success` whatever happened | [`evidence`] |
//! | 3 nobody compares amount, currency, account or number | [`evidence`] |
//! | 4 notification and `check` together run the callback twice | [`once`] |
//! | 5 a callback that throws is never tried again, one that prints an error is applied | [`once`] |
//! | 6 metadata may say that the payment is OK | [`input`] |
//! | 7 the callback's text is filled with the payment's fields and executed | [`input`] |
//! | 8 the last writer wins | [`once`] |
//! | 9 two sends at once make two orders | [`once`] |
//! | 10 yuan are a float | [`input`] |
//! | 11 `-fee 199USD` is stored as RMB, `-fee 0.01` crashes | [`input`] |
//! | 12 naming the seller by id or name makes the caller the seller | [`input`] |
//! | 13 every state but waiting and success is FAIL, refunds included | [`evidence`] |
//! | 14 a failed sending leaves WAIT, and sending again is refused | [`unknown`] |
//! | 15 `check` always says WAIT, pay types return null | [`unknown`] |
//! | 16 MD5, compared in variable time, verified by a call without a timeout | [`unknown`] |
//! | 17 keys in plain JSON, signed requests on the payment | [`secrets`] |
//! | 18 no background asking, no replay check | [`evidence`], [`unknown`] |

mod evidence;
mod input;
mod once;
mod secrets;
mod unknown;
