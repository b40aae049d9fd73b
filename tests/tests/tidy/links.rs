//! Links between Markdown files lead somewhere, and the book has all of its chapters.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::workspace::{FILES, TextFile, files, none};

/// The text lines of a Markdown file: neither in a fenced block nor code within a line.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter_map(move |(number, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        let outside = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        (!fenced).then_some((number, outside))
    })
}

/// The targets of the links of a file, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let targets = prose(text).flat_map(|(number, line)| {
        let targets: Vec<_> = line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        targets.into_iter().map(|target| (number, target.to_owned())).collect::<Vec<_>>()
    });
    targets.collect()
}

/// The anchors of a file's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let headings = text.lines().filter(|line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced && line.starts_with('#')
    });
    let anchor = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().chars().filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
            _ => None,
        });
        kept.collect()
    };
    headings.map(anchor).collect()
}

/// The path of a link's file, from the workspace's root.
fn resolve(from: &str, target: &str) -> String {
    let mut path = PathBuf::from(from);
    path.pop();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
    }
    path.to_string_lossy().replace('\\', "/")
}

fn dead_links(file: &TextFile, all: &[TextFile]) -> Vec<String> {
    let is_file = |path: &str| {
        all.iter().any(|file| {
            file.path == path || file.path.starts_with(&format!("{}/", path.trim_end_matches('/')))
        })
    };
    let dead = links(&file.text).into_iter().filter_map(|(number, target)| {
        if target.contains("://") || target.starts_with("mailto:") {
            return None;
        }
        let broken = |why: &str| Some(format!("{}:{number}: ({target}) {why}", file.path));
        let (name, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let path = if name.is_empty() { file.path.clone() } else { resolve(&file.path, name) };
        if file.path.starts_with("docs/src/") && !path.starts_with("docs/src/") {
            return broken("leaves the book");
        }
        if !is_file(&path) {
            return broken("is not a file");
        }
        let text = all.iter().find(|file| file.path == path).map_or("", |file| &file.text);
        (!anchor.is_empty() && !anchors(text).contains(anchor))
            .then(|| broken("has no such heading"))
            .flatten()
    });
    dead.collect()
}

/// Chapters that the summary does not list.
fn unlisted(summary: &str, chapters: &[&str]) -> Vec<String> {
    let listed: BTreeSet<_> =
        links(summary).into_iter().map(|(_, target)| format!("docs/src/{target}")).collect();
    let missing = chapters.iter().filter(|chapter| !listed.contains(**chapter));
    missing.map(|chapter| format!("{chapter}: not in SUMMARY.md")).collect()
}

#[test]
fn no_link_is_dead() {
    assert!(files(".md").count() > 30);
    none(&files(".md").flat_map(|file| dead_links(file, &FILES)).collect::<Vec<_>>());
}

#[test]
fn the_book_lists_all_of_its_chapters() {
    let is_chapter = |path: &&str| path.starts_with("docs/src/") && !path.ends_with("SUMMARY.md");
    let chapters: Vec<&str> = files(".md").map(|file| &*file.path).filter(is_chapter).collect();
    let summary = files("docs/src/SUMMARY.md").next().unwrap();
    assert!(chapters.len() > 20);
    none(&unlisted(&summary.text, &chapters));
}

#[test]
fn a_dead_link_is_found() {
    let file = |path: &str, text: &str| TextFile { path: path.into(), text: text.into() };
    let text = "# A b: `c-d`\n[x](other.md) [y](../README.md) [z](#a-b-c-d) [n](#none) [m](none.md)\n\
                ```text\n# None\n[x](in-a-block.md)\n```\nsee `[x](in-code.md)` and [w](https://example.com)\n";
    let book = file("docs/src/a.md", text);
    let all = [file("docs/src/a.md", text), file("docs/src/other.md", ""), file("README.md", "")];
    assert_eq!(
        dead_links(&book, &all),
        [
            "docs/src/a.md:2: (../README.md) leaves the book",
            "docs/src/a.md:2: (#none) has no such heading",
            "docs/src/a.md:2: (none.md) is not a file",
        ]
    );
    assert_eq!(
        unlisted("- [A](a.md)", &["docs/src/a.md", "docs/src/b.md"]),
        ["docs/src/b.md: not in SUMMARY.md"]
    );
}
