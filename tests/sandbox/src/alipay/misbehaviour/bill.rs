//! What is done wrong in a bill.

use serde::{Deserialize, Serialize};

use super::super::fen::Fen;

/// How a line of a bill differs from what happened. For which order it is, its
/// [`Misbehaviour`](super::Misbehaviour) says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BillFault {
    /// It is missing.
    LeftOut,
    /// It stands there twice.
    Twice,
    /// It has another amount; the sign stays.
    Amount(
        /// Yuan, such as `"0.02"`.
        Fen,
    ),
}
