//! Searching texts without regard to the case of ASCII letters.

/// Whether `text` contains `part`, where `A` to `Z` equal `a` to `z` and every other character only itself.
///
/// The stores search in this way, because the folding of other letters depends on languages and versions of Unicode:
/// all stores have to find the same.
pub(super) fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let Some(first) = part.first() else { return true };
    let Some(last) = text.len().checked_sub(part.len()) else { return false };
    (0..=last).any(|start| {
        text[start].eq_ignore_ascii_case(first) && text[start..start + part.len()].eq_ignore_ascii_case(part)
    })
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn only_the_case_of_ascii_letters_is_ignored() {
        for (text, part, found) in [
            ("", "", true),
            ("", "a", false),
            ("Error: no SPACE", "error", true),
            ("Error: no SPACE", "space", true),
            ("Error: no SPACE", "spaces", false),
            ("ERROR", "rr", true),
            ("Größe", "GRÖSSE", false),
            ("Größe", "größe", true),
            ("Größe", "GRÖße", false),
            ("[x]", "{X}", false),
        ] {
            assert_eq!(contains(text, part), found, "{part} in {text}");
        }
    }
}
