//! Why a question for payments cannot be asked.

use super::Find;

/// Why a question cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// No column has this name.
    #[error("{0:?} is not a column of payments: sort by one of them, such as ct or lm")]
    UnknownColumn(String),
    /// The column holds something else.
    #[error("{column}: {expected} is expected, not {found}")]
    WrongType {
        /// As the user names it.
        column: String,
        /// What the column holds.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// A pattern, an interval or a time that cannot be read.
    #[error("{column}: {found}: {problem}")]
    Unreadable {
        /// As the user names it.
        column: String,
        /// What was given.
        found: String,
        /// What is wrong with it, and where.
        problem: String,
    },
    /// The list has too many values.
    #[error(
        "{column}: {given} values are too many; {} are allowed",
        Find::MAX_VALUES
    )]
    TooManyValues {
        /// As the user names it.
        column: String,
        /// How many there are.
        given: usize,
    },
    /// There are too many conditions or sort keys.
    #[error("more than {} conditions or sort keys", Find::MAX_CONDITIONS)]
    TooManyConditions,
    /// The limit is not between 1 and [`Find::MAX_LIMIT`].
    #[error("limit: {0} is not between 1 and {max}", max = Find::MAX_LIMIT)]
    Limit(u32),
    /// More than [`Find::MAX_SKIP`].
    #[error("skip: {0} is more than {max}: go on with `after` instead", max = Find::MAX_SKIP)]
    Skip(u32),
    /// The place to go on from was not given by walnut, or for another order.
    #[error(
        "after: this is not where an earlier answer to the same question ended: give its `next` as it is, with the same sort"
    )]
    Cursor,
    /// Rows without a value have no place that could be gone on from.
    #[error("sort: by {0}, which may be missing, the pages are reached with `skip` alone")]
    NoCursor(&'static str),
    /// Too many payments have to be read to answer it.
    #[error(
        "this question takes too long, since no index leads to what it asks for: add a state, a buyer, a whole brief or an \
         interval of ct or lm, and sort by ct or lm"
    )]
    TooSlow,
    /// The payments have more than [`Find::MAX_BYTES`] together.
    #[error(
        "the payments have more than {} bytes together: lower the limit",
        Find::MAX_BYTES
    )]
    TooLarge,
}

/// What was given, as much of it as a message needs.
pub(super) fn shown(value: &impl ToString) -> String {
    value.to_string().chars().take(80).collect()
}
