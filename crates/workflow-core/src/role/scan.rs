//! What is wrong with a template's tags, before it is parsed: reported in the terms of its author, and within
//! bounds that keep parsing cheap. What is left for the parser is the inside of single tags.

/// A template is no longer than this, in bytes.
const LONGEST: usize = 256 << 10;
/// So many tags; the parser looks for the place of each from the beginning.
const MOST_TAGS: usize = 1000;
/// How deep blocks and brackets may be nested.
const DEEPEST: usize = 32;
/// So many backslashes in a row; the parser looks at each run from each of its places.
const MOST_BACKSLASHES: usize = 64;

/// Something wrong, and where in the template.
pub(super) struct Problem {
    /// In bytes, counted from 0.
    pub offset: usize,
    pub message: String,
}

/// What the tags are, as far as they open and close.
struct Scan<'t> {
    text: &'t str,
    /// The blocks that are open: their names and places.
    open: Vec<(&'t str, usize)>,
    tags: usize,
}

/// Everything that has to hold before a template is parsed; the first thing that does not.
pub(super) fn check(text: &str) -> Result<(), Problem> {
    if text.len() > LONGEST {
        return problem(0, format!("the template has more than {LONGEST} bytes: make it shorter"));
    }
    if let Some(offset) = text.find(&"\\".repeat(MOST_BACKSLASHES + 1)) {
        return problem(offset, format!("there are more than {MOST_BACKSLASHES} backslashes in a row"));
    }
    let mut scan = Scan { text, open: Vec::new(), tags: 0 };
    let mut at = 0;
    while let Some(start) = text[at..].find("{{").map(|found| at + found) {
        let backslashes = text[at..start].bytes().rev().take_while(|byte| *byte == b'\\').count();
        // One makes a text of the tag; two or more are a text of their own.
        at = if backslashes == 1 { start + 2 } else { scan.tag(start)? };
    }
    match scan.open.pop() {
        Some((name, offset)) => {
            problem(offset, format!("`{{{{#{name}}}}}` is not closed: write `{{{{/{name}}}}}` after it"))
        }
        None => Ok(()),
    }
}

fn problem<T>(offset: usize, message: impl Into<String>) -> Result<T, Problem> {
    Err(Problem { offset, message: message.into() })
}

impl<'t> Scan<'t> {
    /// Looks at the tag at `start`; where it ends.
    fn tag(&mut self, start: usize) -> Result<usize, Problem> {
        self.tags += 1;
        if self.tags > MOST_TAGS {
            return problem(start, format!("the template has more than {MOST_TAGS} tags: make it shorter"));
        }
        let rest = &self.text[start + 2..];
        if rest.starts_with("{{") {
            let message = "raw blocks have no place in a role: write `\\{{` where the text `{{` is meant";
            return problem(start, message);
        }
        if let Some(comment) = rest.strip_prefix('!') {
            let long = comment.starts_with("--").then(|| rest.find("--}}").map(|end| end + 4)).flatten();
            return match long.or_else(|| rest.find("}}").map(|end| end + 2)) {
                Some(length) => Ok(start + 2 + length),
                None => problem(start, "this comment is not closed: write `--}}` after it"),
            };
        }
        let Some(length) = inside(rest, start)? else {
            let message =
                "this `{{` is not closed: write `}}` after the name, or `\\{{` where the text `{{` is meant";
            return problem(start, message);
        };
        self.block(rest[..length].trim_start_matches(['~', ' ', '\t', '\r', '\n']), start)?;
        Ok(start + 2 + length + 2)
    }

    /// Follows the blocks that tags open and close.
    fn block(&mut self, inside: &'t str, start: usize) -> Result<(), Problem> {
        let name = |rest: &'t str| {
            let rest = rest.trim_start_matches(['*', '>', ' ', '\t', '\r', '\n']);
            rest.split([' ', '~', '\t', '\r', '\n', '(']).next().unwrap_or_default()
        };
        if let Some(rest) = inside.strip_prefix('#') {
            if self.open.len() == DEEPEST {
                return problem(start, format!("blocks are nested more than {DEEPEST} deep"));
            }
            self.open.push((name(rest), start));
        } else if let Some(closed) = inside.strip_prefix('/').map(name) {
            match self.open.pop() {
                None => {
                    let message =
                        format!("`{{{{/{closed}}}}}` closes nothing: remove it, or open a block before it");
                    return problem(start, message);
                }
                Some((opened, _)) if opened != closed => {
                    let message = format!(
                        "`{{{{/{closed}}}}}` stands where `{{{{#{opened}}}}}` is open: write `{{{{/{opened}}}}}`"
                    );
                    return problem(start, message);
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// How long the inside of a tag is, up to the `}}` that closes it; none when nothing does.
fn inside(rest: &str, start: usize) -> Result<Option<usize>, Problem> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(character) = rest[at..].chars().next() {
        match character {
            '}' if rest[at..].starts_with("}}") => {
                // The last one of `}}}` belongs to the inside.
                let more = usize::from(rest.starts_with('{') && rest[at..].starts_with("}}}"));
                return Ok(Some(at + more));
            }
            '"' | '\'' => {
                if let Some(length) = quoted(&rest[at + 1..], character) {
                    at += length + 1;
                }
            }
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return problem(start, format!("brackets are nested more than {DEEPEST} deep in this tag"));
        }
        at += character.len_utf8();
    }
    Ok(None)
}

/// How long a text in quotes is; none when they are not closed.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    rest.char_indices().find_map(|(at, character)| {
        let ends = character == quote && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        ends.then_some(at)
    })
}
