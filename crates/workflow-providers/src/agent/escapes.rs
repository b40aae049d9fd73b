//! Removes terminal escape sequences from what agents print.

/// The text without escape sequences and without a byte order mark.
pub(crate) fn without(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.trim_start_matches('\u{feff}');
    while let Some((before, sequence)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = behind(sequence);
    }
    plain + rest
}

/// The text behind the escape sequence that it begins with, the escape itself excluded.
fn behind(sequence: &str) -> &str {
    let mut characters = sequence.char_indices();
    match characters.next() {
        // CSI: parameters, and a final character.
        Some((_, '[')) => {
            let end = characters.find(|(_, c)| !('\u{20}'..='\u{3f}').contains(c));
            end.map_or("", |(at, c)| &sequence[at + usize::from(('\u{40}'..='\u{7e}').contains(&c))..])
        }
        // A string, up to BEL or ST.
        Some((_, ']' | 'P' | 'X' | '^' | '_')) => match sequence.find(['\u{7}', '\u{1b}', '\n']) {
            Some(end) if sequence[end..].starts_with("\u{1b}\\") => &sequence[end + 2..],
            Some(end) if sequence[end..].starts_with('\u{7}') => &sequence[end + 1..],
            Some(end) => &sequence[end..],
            None => "",
        },
        // An intermediate character, and a final one.
        Some((_, '\u{20}'..='\u{2f}')) => {
            characters.next().map_or("", |(at, c)| &sequence[at + c.len_utf8()..])
        }
        Some((at, c @ '\u{30}'..='\u{7e}')) => &sequence[at + c.len_utf8()..],
        _ => sequence,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_the_text_is_left() {
        for (text, plain) in [
            ("\u{1b}[31mred\u{1b}[0m text", "red text"),
            ("\u{1b}[1;38;5;196mX\u{1b}[K", "X"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("a\u{1b}(Bb\u{1b}=c", "abc"),
            ("\u{feff}{}", "{}"),
            ("\u{1b}[", ""),
            ("\u{1b}", ""),
            ("\u{1b}[31é", "é"),
            ("plain", "plain"),
        ] {
            assert_eq!(super::without(text), plain, "{text:?}");
        }
    }
}
