//! Texts from untrusted sources, made harmless for terminals and for readers.

/// `text` without anything that a terminal would act on, or that a person would not see: control characters become
/// their symbols, and characters that change the direction or the line, or have no width, become `�`.
///
/// Output, definitions and values can come from untrusted sources.
///
/// ```
/// use workflow_service::text::harmless;
///
/// assert_eq!(harmless("\u{1b}[2Jgone\u{202e}"), "\u{241b}[2Jgone\u{fffd}");
/// ```
pub fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            // The pictures of U+0000–U+001F are at U+2400–U+241F.
            '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
            '\x7f' => '\u{2421}',
            c if is_hidden(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The same for a text of several lines: the breaks between its lines stay.
///
/// ```
/// assert_eq!(workflow_service::text::harmless_lines("a\u{7}\r\nb\n"), "a\u{2407}\nb\n");
/// ```
pub fn harmless_lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                lines.push_str(&harmless(line.strip_suffix('\r').unwrap_or(line)));
                lines.push('\n');
            }
            None => lines.push_str(&harmless(line)),
        }
    }
    lines
}

/// JSON in which what [`harmless`] would replace is escaped: it means the same to a program.
pub fn harmless_json(json: &str) -> String {
    use std::fmt::Write as _;
    if !json.chars().any(is_hidden) {
        return json.to_owned();
    }
    let mut harmless = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` cannot fail.
                let _ = write!(harmless, "\\u{unit:04x}");
            }
        } else {
            harmless.push(c);
        }
    }
    harmless
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_is_left() {
        for (text, expected) in [
            ("plain – text ✓", "plain – text ✓"),
            ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
            ("\x1b]0;title\x07", "␛]0;title␇"),
            ("a\rb\nc\td", "a␍b␊c d"),
            ("del\x7f csi\u{9b}31m nul\0", "del␡ csi�31m nul␀"),
            ("abc\u{202e}fdp.exe", "abc�fdp.exe"),
            ("pay\u{200b}pal \u{feff}\u{2066}\u{61c}\u{ad}\u{e0041}⚠\u{fe0f}", "pay�pal �����⚠\u{fe0f}"),
        ] {
            assert_eq!(harmless(text), expected);
        }
    }

    #[test]
    fn every_control_character_is_replaced() {
        let all: String = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        assert!(!harmless(&all).chars().any(char::is_control));
    }

    #[test]
    fn json_for_programs_means_the_same_without_hidden_characters() {
        let value = serde_json::json!({ "a\u{9b}": "\x1b[2J \u{202e}\u{200b}\u{e0041}\x7f é" });
        let harmless = harmless_json(&value.to_string());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&harmless).unwrap(), value);
        assert!(!harmless.chars().any(|c| c.is_control() || is_hidden(c)), "{harmless}");
        assert!(harmless.contains("é"));
    }
}
