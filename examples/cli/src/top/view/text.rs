//! Text of runs in the columns of a terminal.

use console::{measure_text_width, pad_str, truncate_str};

use crate::text::harmless;

/// Harmless text of exactly so many columns, with `…` where it was cut.
pub(crate) fn cell(text: &str, width: usize) -> String {
    pad_str(&fit(text, width), width, console::Alignment::Left, None).into_owned()
}

/// Harmless text of at most so many columns, with `…` where it was cut.
pub(crate) fn fit(text: &str, width: usize) -> String {
    truncate_str(&harmless(text), width, "…").into_owned()
}

/// An id of at most so many columns: its middle is left out.
pub(crate) fn elided(id: &str, width: usize) -> String {
    let id = harmless(id);
    let length = id.chars().count();
    if length <= width || width < 4 {
        return fit(&id, width);
    }
    let (head, tail) = ((width - 1) / 2, width / 2);
    let head: String = id.chars().take(head).collect();
    let tail: String = id.chars().skip(length - tail).collect();
    format!("{head}…{tail}")
}

/// Harmless text in lines of at most so many columns, broken at spaces where there are some.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for word in harmless(text).split_inclusive(' ') {
        let trimmed = measure_text_width(word.trim_end());
        if used > 0 && used + trimmed > width {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        for c in word.chars() {
            let wide = measure_text_width(c.encode_utf8(&mut [0; 4]));
            if used + wide > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
                // The space between two words is the break.
                if c == ' ' {
                    continue;
                }
            }
            line.push(c);
            used += wide;
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// Parts in lines of at most so many columns, ` · ` between those on one line.
pub(crate) fn flow(parts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let part = fit(part, width);
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 3 + measure_text_width(&part) <= width => {
                line.push_str(" · ");
                line.push_str(&part);
            }
            _ => lines.push(part),
        }
    }
    lines
}

/// How old something is, in two to four columns: `12s`, `3m`, `2h`, `5d`.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_by_columns_and_loses_nothing_that_is_seen() {
        for (text, width, expected) in [
            ("one two three", 8, &["one two", "three"][..]),
            ("one two", 20, &["one two"]),
            ("abcdefgh", 3, &["abc", "def", "gh"]),
            ("日本語", 4, &["日本", "語"]),
            ("a\u{1b}[31mb\u{202e}", 20, &["a␛[31mb\u{fffd}"]),
            ("", 5, &[""]),
        ] {
            assert_eq!(wrap(text, width), expected, "{text}");
        }
    }

    #[test]
    fn text_is_cut_by_columns() {
        assert_eq!(cell("日本語", 5), "日本…");
        assert_eq!(cell("ab", 4), "ab  ");
        assert_eq!(elided("0199aaaa-bbbb", 8), "019…bbbb");
        assert_eq!(elided("short", 8), "short");
    }

    #[test]
    fn parts_share_lines() {
        let parts = ["one", "two", "", "three"].map(str::to_owned);
        assert_eq!(flow(&parts, 11), ["one · two", "three"]);
        assert_eq!(flow(&parts, 40), ["one · two · three"]);
    }
}
