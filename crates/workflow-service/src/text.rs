//! Texts from untrusted sources, made harmless.

/// `text` without anything that a terminal would act on, or that a person would not see: control characters become
/// their symbols, and characters that change the direction, or have no width, become `�`. Line ends are kept where
/// `lines` says so.
pub(crate) fn harmless(text: &str, lines: bool) -> String {
    text.chars()
        .map(|c| match c {
            '\n' if lines => '\n',
            '\t' => ' ',
            // The pictures of U+0000–U+001F are at U+2400–U+241F.
            '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
            '\x7f' => '\u{2421}',
            c if is_hidden(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Whether a character is a control character of its own set, or changes the direction, or is not seen. Those that
/// choose between two looks of a character before them are left alone: many symbols have one.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0d}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}
