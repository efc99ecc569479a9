//! Texts within a platform's limits.

/// The first `limit` characters.
pub fn first_chars(text: &str, limit: usize) -> &str {
    match text.char_indices().nth(limit) {
        Some((end, _)) => text.split_at(end).0,
        None => text,
    }
}

/// At most the first `limit` bytes, cut at a character.
pub fn first_bytes(text: &str, limit: usize) -> &str {
    text.split_at(text.floor_char_boundary(limit)).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character() {
        assert_eq!(first_chars("一杯茶🍵和水", 4), "一杯茶🍵");
        assert_eq!(first_chars("茶", 4), "茶");
        assert_eq!(first_bytes("一杯茶", 5), "一");
        assert_eq!(first_bytes("茶🍵", 6), "茶");
        assert_eq!(first_bytes("tea", 9), "tea");
    }
}
