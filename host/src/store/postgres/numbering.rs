//! SQL as PostgreSQL writes it: `$1` for `?1`.

/// Rewrites the places of values. A question mark without a number stands for the next value; what is quoted stays.
pub(super) fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() + 8);
    let mut next = 1;
    let mut quoted = false;
    let mut rest = sql.chars().peekable();
    while let Some(one) = rest.next() {
        match one {
            '\'' => {
                quoted = !quoted;
                text.push(one);
            }
            '?' if !quoted => {
                text.push('$');
                if !rest.peek().is_some_and(char::is_ascii_digit) {
                    text.push_str(&next.to_string());
                    next += 1;
                }
            }
            _ => text.push(one),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered() {
        assert_eq!(numbered("a = ?2 AND b > ?1"), "a = $2 AND b > $1");
        assert_eq!(numbered("a IN (?, ?) LIMIT ?"), "a IN ($1, $2) LIMIT $3");
        assert_eq!(numbered("a = 'wh?t' AND b = ?"), "a = 'wh?t' AND b = $1");
        assert_eq!(
            numbered("a = 'it''s ?' AND b = ?1"),
            "a = 'it''s ?' AND b = $1"
        );
    }
}
