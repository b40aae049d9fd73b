//! Documents as Markdown.

use std::fmt::Write as _;

use super::blocks::{Block, Span};
use super::words::time;
use crate::text::{harmless, harmless_lines};

/// The document as Markdown.
pub(super) fn render(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        add(&mut text, block);
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn add(text: &mut String, block: &Block) {
    // Writing to a `String` cannot fail.
    let _ = match block {
        Block::Title(spans, badge) => writeln!(text, "# {}: {}", line(spans), escape(&badge.word)),
        Block::Section(title, _) => writeln!(text, "## {title}"),
        Block::Heading(spans, badge) => writeln!(text, "### {}: {}", line(spans), escape(&badge.word)),
        Block::Text(spans) => writeln!(text, "{}", line(spans)),
        Block::Facts(facts) => {
            for (name, spans) in facts {
                let _ = writeln!(text, "- **{name}:** {}", line(spans));
            }
            Ok(())
        }
        Block::Table { head, rows, .. } => {
            row(text, head.iter().map(|column| column.title.to_owned()));
            row(text, head.iter().map(|column| if column.is_number { "---:" } else { "---" }.to_owned()));
            for cells in rows {
                row(text, cells.iter().map(|spans| cell(spans)));
            }
            Ok(())
        }
        Block::Steps(steps) => {
            for (number, (spans, command)) in steps.iter().enumerate() {
                let _ = writeln!(text, "{}. {}", number + 1, line(spans));
                if let Some(command) = command {
                    // A fence within an item has the item's indentation.
                    let indent = " ".repeat((number + 1).to_string().len() + 2);
                    let fenced = fence("sh", command);
                    let _ = writeln!(text);
                    fenced.lines().for_each(|line| {
                        let _ = writeln!(text, "{indent}{line}");
                    });
                    let _ = writeln!(text);
                }
            }
            text.truncate(text.trim_end().len());
            writeln!(text)
        }
        Block::Lines(_, lines) => write!(text, "{}", fence("text", lines)),
    };
}

fn fence(language: &str, lines: &str) -> String {
    let lines = harmless_lines(lines);
    let fence = "`".repeat(longest(&lines).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", lines.trim_end_matches('\n'))
}

fn row(text: &mut String, cells: impl Iterator<Item = String>) {
    text.push('|');
    for cell in cells {
        let _ = write!(text, " {cell} |");
    }
    text.push('\n');
}

/// A cell: how a bar is escaped within a code span of a table differs from reader to reader, so there is none.
fn cell(spans: &[Span]) -> String {
    line(spans).replace("\\|", "│").replace('|', "│")
}

fn line(spans: &[Span]) -> String {
    spans.iter().map(span).collect()
}

fn span(span: &Span) -> String {
    match span {
        Span::Plain(text) => escape(text),
        Span::Time(at) => time(*at),
        Span::Badge(badge) => escape(&badge.word),
        Span::Code(text) if text.trim().is_empty() => "–".to_owned(),
        Span::Code(text) => {
            let text = harmless(text);
            let fence = "`".repeat(longest(&text) + 1);
            // A space keeps ticks at the ends apart from the fence; readers take it away again.
            let space = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
            format!("{fence}{space}{text}{space}{fence}")
        }
    }
}

/// Words of the report itself have none of these characters; ids that others chose can.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in harmless(text).chars() {
        if "\\`*_[]<>|~&#!".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// How many ticks follow one another at most.
fn longest(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
