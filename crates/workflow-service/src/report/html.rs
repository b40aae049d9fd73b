//! Documents as pages of HTML.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::blocks::{Badge, Block, Column, Span};
use super::words::time;
use crate::text::{harmless, harmless_lines};

/// For screens, light and dark, and for paper. The studio has the colours of `tokens.css` as well.
pub(super) const STYLE: &str = concat!(include_str!("tokens.css"), include_str!("style.css"));

/// Nothing is loaded and nothing is executed; of styles only [`STYLE`] has an effect, which the hash names.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'sha256-NsqIZaU8HjU0Ncep/gBb7ASyzsEeVEdDje078Yg7j3w='; base-uri 'none'; form-action 'none'";

/// The document as a page of HTML that loads nothing and executes nothing. All texts are escaped by the templates.
pub(super) fn render(title: &str, blocks: &[Block]) -> String {
    let sections: Vec<_> = blocks
        .iter()
        .filter_map(|block| match block {
            Block::Section(title, anchor) => Some((title, anchor)),
            _ => None,
        })
        .collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                title { (harmless(title)) }
                // A constant of this crate: the only text that is not escaped.
                style { (PreEscaped(STYLE)) }
            }
            body {
                @for block in blocks.iter().take_while(|block| matches!(block, Block::Title(..))) {
                    header { (part(block)) }
                }
                nav aria-label="Sections" {
                    ul { @for (title, anchor) in sections { li { a href={ "#" (anchor) } { (title) } } } }
                }
                main {
                    @for block in blocks.iter().skip_while(|block| matches!(block, Block::Title(..))) {
                        (part(block))
                    }
                }
            }
        }
    };
    page.into_string()
}

fn part(block: &Block) -> Markup {
    html! {
        @match block {
            Block::Title(spans, badge) => h1 { (line(spans)) " " (mark(badge)) },
            Block::Section(title, anchor) => h2 id=(anchor) { (title) },
            Block::Heading(spans, badge) => h3 { (line(spans)) " " (mark(badge)) },
            Block::Text(spans) => p { (line(spans)) },
            Block::Facts(facts) => dl {
                @for (name, spans) in facts { div { dt { (name) } dd { (line(spans)) } } }
            },
            Block::Table { caption, head, rows } => (table(caption, head, rows)),
            Block::Steps(steps) => ol {
                @for (spans, command) in steps {
                    li {
                        p { (line(spans)) }
                        @if let Some(command) = command { pre.command { code { (harmless_lines(command)) } } }
                    }
                }
            },
            Block::Lines(what, lines) => pre aria-label=(what) { (harmless_lines(lines.trim_end_matches('\n'))) },
        }
    }
}

fn table(caption: &str, head: &[Column], rows: &[Vec<Vec<Span>>]) -> Markup {
    let class = |n: usize| head.get(n).filter(|column| column.is_number).map(|_| "number");
    html! {
        // Wide tables scroll, also by keyboard.
        div.wide tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr {
                    @for (n, column) in head.iter().enumerate() {
                        th scope="col" class=[class(n)] { (column.title) }
                    }
                } }
                tbody {
                    @for cells in rows {
                        tr { @for (n, spans) in cells.iter().enumerate() {
                            @if n == 0 { th scope="row" class=[class(n)] { (line(spans)) } }
                            @else { td class=[class(n)] { (line(spans)) } }
                        } }
                    }
                }
            }
        }
    }
}

fn line(spans: &[Span]) -> Markup {
    html! {
        @for span in spans {
            @match span {
                Span::Plain(text) => (harmless(text)),
                Span::Time(at) => span.time { (time(*at)) },
                Span::Badge(badge) => (mark(badge)),
                Span::Code(text) => {
                    @if text.trim().is_empty() { "–" } @else { code { (harmless(text)) } }
                },
            }
        }
    }
}

fn mark(badge: &Badge) -> Markup {
    html! { span.badge.{ "tone-" (badge.tone) } { (harmless(&badge.word)) } }
}
