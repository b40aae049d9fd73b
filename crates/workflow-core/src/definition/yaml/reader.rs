//! From the bytes of a file to a tree.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

use super::scalar;
use super::tree::{Entry, Kind, MAX_BYTES, MAX_DEPTH, MAX_NODES, Node, Place, Problem, Style};
use crate::definition::model::{Path, shorten};

/// Reads the one document of a file. Without a tree, at least one problem says why.
pub(crate) fn read(bytes: &[u8]) -> (Option<Node>, Vec<Problem>) {
    read_up_to(bytes, MAX_BYTES)
}

/// The same for a file that may have up to `most` bytes, as may what its aliases expand to.
pub(crate) fn read_up_to(bytes: &[u8], most: usize) -> (Option<Node>, Vec<Problem>) {
    let text = match text(bytes, most) {
        Ok(text) => text,
        Err(Fatal(problem)) => return (None, vec![*problem]),
    };
    let mut reader = Reader::new(text, most);
    match reader.document() {
        Ok(root) => (root, reader.problems),
        Err(Fatal(problem)) => {
            reader.problems.push(*problem);
            (None, reader.problems)
        }
    }
}

/// A problem that ends the reading.
struct Fatal(Box<Problem>);

fn fatal(code: &'static str, at: Place, message: impl Into<String>) -> Fatal {
    Fatal(Box::new(Problem { code, path: String::new(), at, message: message.into() }))
}

/// Checks what can be told before any parsing.
fn text(bytes: &[u8], most: usize) -> Result<&str, Fatal> {
    if bytes.len() > most {
        // How many there are is not known here: the reader of a file stops after the first too many.
        let message = format!("the file has more than {most} bytes: keep long texts in files of their own");
        return Err(fatal("too-large", Place::START, message));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        fatal("not-utf8", end_of(good), "the file is not UTF-8: save it in that encoding")
    })?;
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    if let Some(offset) = text.find(control) {
        let c = text[offset..].chars().next().unwrap_or_default();
        let message = format!(
            "the control character {} is not allowed in a file: write it as an escape in double quotes",
            c.escape_unicode()
        );
        return Err(fatal("control-character", end_of(&text[..offset]), message));
    }
    Ok(text)
}

/// The place after the last character of `text`.
fn end_of(text: &str) -> Place {
    let line = text.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place { line: number(line), column: number(column), offset: text.len() }
}

fn number(n: usize) -> u32 {
    // A file of at most 1 MiB has no larger numbers.
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A list or mapping that is not complete yet.
struct Open {
    start: Place,
    kind: Kind,
    /// The key whose value comes next, in a mapping.
    key: Option<(String, Place)>,
    anchor: usize,
    size: Size,
}

/// What expanding an alias of a value costs.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    offsets: Offsets,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Size)>,
    nodes: usize,
    bytes: usize,
    most: usize,
    problems: Vec<Problem>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, most: usize) -> Self {
        Self {
            text,
            parser: Parser::new_from_str(text),
            offsets: Offsets::of(text),
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            bytes: 0,
            most,
            problems: Vec::new(),
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Fatal> {
        let mut root = None;
        while let Some(event) = self.parser.next_event() {
            let (event, span) = event.map_err(|error| self.syntax(&error))?;
            let node = match event {
                Event::DocumentStart(_) if root.is_some() => {
                    let message = "a file holds one document: remove what follows the line `---`";
                    return Err(fatal("several-documents", self.place(span.start), message));
                }
                Event::Scalar(text, style, anchor, tag) => {
                    self.scalar(text, style, anchor, tag.as_deref(), span)?
                }
                Event::Alias(anchor) => Some(self.alias(anchor, span)?),
                Event::SequenceStart(anchor, tag) => {
                    self.begin(Kind::List(Vec::new()), anchor, tag.as_deref(), "seq", span)?;
                    None
                }
                Event::MappingStart(anchor, tag) => {
                    self.begin(Kind::Map(Vec::new()), anchor, tag.as_deref(), "map", span)?;
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(span),
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => None,
            };
            if let Some((node, size)) = node {
                root = self.add(node, size)?.or(root);
            }
        }
        if root.is_none() {
            return Err(fatal("bad-yaml", Place::START, "the file is empty"));
        }
        Ok(root)
    }

    fn syntax(&self, error: &ScanError) -> Fatal {
        let at = self.place(*error.marker());
        if error.info().contains("recursion limit") {
            return too_deep(at);
        }
        let line = self.text.lines().nth(error.marker().line().saturating_sub(1)).unwrap_or_default();
        let hint = if line.contains("${") {
            "; inside `{ }` and `[ ]`, a text with `${` has to be in quotes"
        } else if line.starts_with([' ', '\t']) && line.trim_start_matches(' ').starts_with('\t') {
            "; indent with spaces"
        } else if error.info().contains("mapping values") {
            "; check the indentation, and put a text that contains `: ` in quotes"
        } else {
            ""
        };
        fatal("bad-yaml", at, format!("not YAML: {}{hint}", error.info()))
    }

    /// Puts a complete value where it belongs; returns it when it is the whole document.
    fn add(&mut self, node: Node, size: Size) -> Result<Option<Node>, Fatal> {
        let Some(parent) = self.open.last_mut() else { return Ok(Some(node)) };
        parent.size.nodes += size.nodes;
        parent.size.bytes += size.bytes;
        parent.size.depth = parent.size.depth.max(size.depth + 1);
        match (&mut parent.kind, parent.key.take()) {
            (Kind::List(items), _) => items.push(node),
            (Kind::Map(entries), Some((key, at))) => entries.push(Entry { key, at, value: node }),
            // Keys that are scalars are taken before they become nodes.
            (Kind::Map(_), None) | (Kind::Scalar(..), _) => {
                return Err(fatal("bad-key", node.start, "a key has to be a text"));
            }
        }
        Ok(None)
    }

    fn scalar(
        &mut self,
        text: std::borrow::Cow<'t, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Option<(Node, Size)>, Fatal> {
        let (start, end) = (self.place(span.start), self.place(span.end));
        let size = Size { nodes: 1, bytes: text.len(), depth: 0 };
        self.count(size, start)?;
        check_tag(tag, start)?;
        if let Some(Open { kind: Kind::Map(_), key: key @ None, .. }) = self.open.last_mut() {
            if style == ScalarStyle::Plain && text == "<<" {
                return Err(fatal("merge-key", start, "merge keys are not supported: write the keys out"));
            }
            *key = Some((text.into_owned(), start));
            return Ok(None);
        }
        let number = scalar::spelling(&text, style);
        let value = scalar::value(text, style, tag).unwrap_or_else(|(code, message)| {
            let path = self.path(None);
            self.problems.push(Problem { code, path, at: start, message: message.to_owned() });
            serde_json::Value::Null
        });
        let number = number.filter(|_| value.is_number());
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let node = Node { start, end, kind: Kind::Scalar(style, value), number };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(Some((node, size)))
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(Node, Size), Fatal> {
        let at = self.place(span.start);
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(fatal("bad-yaml", at, "an alias cannot be inside the value that it names"));
        };
        let size = *size;
        if self.open.len() + size.depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        let node = node.clone();
        self.count(size, at)?;
        Ok((node, size))
    }

    fn begin(
        &mut self,
        kind: Kind,
        anchor: usize,
        tag: Option<&Tag>,
        own_tag: &str,
        span: Span,
    ) -> Result<(), Fatal> {
        let start = self.place(span.start);
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(start));
        }
        if let Some(Open { kind: Kind::Map(_), key: None, .. }) = self.open.last() {
            return Err(fatal("bad-key", start, "a key has to be a text, not a list or a mapping"));
        }
        self.count(Size { nodes: 1, ..Size::default() }, start)?;
        check_tag(tag, start)?;
        if tag.is_some_and(|tag| !(tag.is_yaml_core_schema() && tag.suffix == own_tag)) {
            let (code, message) = scalar::UNKNOWN_TAG;
            let path = self.path(None);
            self.problems.push(Problem { code, path, at: start, message: message.to_owned() });
        }
        let size = Size { nodes: 1, bytes: 0, depth: 1 };
        self.open.push(Open { start, kind, key: None, anchor, size });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Option<(Node, Size)> {
        // The span of a `]` or `}` takes in what follows it in its line.
        let mut end = self.place(span.start);
        if !span.is_empty() {
            end.offset += 1;
            end.column += 1;
        }
        let mut open = self.open.pop()?;
        if let Kind::Map(entries) = &mut open.kind {
            self.refuse_duplicates(entries);
        }
        let node = Node { start: open.start, end, kind: open.kind, number: None };
        if open.anchor > 0 {
            self.anchors.insert(open.anchor, (node.clone(), open.size));
        }
        Some((node, open.size))
    }

    /// Keeps the first of entries with the same key, and reports the others.
    fn refuse_duplicates(&mut self, entries: &mut Vec<Entry>) {
        let mut seen = HashMap::with_capacity(entries.len());
        let mut firsts = Vec::with_capacity(entries.len());
        for Entry { key, at, .. } in entries.iter() {
            let first = *seen.entry(key.as_str()).or_insert(*at);
            firsts.push((first != *at).then_some(first));
        }
        let mut firsts = firsts.into_iter();
        entries.retain(|Entry { key, at, .. }| {
            let Some(Some(first)) = firsts.next() else { return true };
            let message = format!(
                "the key `{}` is at {}:{} already: remove one of them",
                shorten(key),
                first.line,
                first.column
            );
            let path = self.path(Some(key));
            self.problems.push(Problem { code: "duplicate-key", path, at: *at, message });
            false
        });
    }

    fn count(&mut self, size: Size, at: Place) -> Result<(), Fatal> {
        self.nodes += size.nodes;
        self.bytes += size.bytes;
        if self.nodes > MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} values");
            return Err(fatal("too-large", at, message));
        }
        if self.bytes > self.most {
            let message = format!("with its aliases written out, the file has more than {} bytes", self.most);
            return Err(fatal("too-large", at, message));
        }
        Ok(())
    }

    /// The path of the value that comes next, or of a key of the mapping that was just closed.
    fn path(&self, key: Option<&str>) -> String {
        fn written(open: &[Open], parent: &Path<'_>, last: Option<&str>) -> String {
            match open {
                [] => last.map_or_else(|| parent.to_string(), |key| parent.key(key).to_string()),
                [Open { kind: Kind::List(items), .. }, rest @ ..] => {
                    written(rest, &parent.index(items.len()), last)
                }
                [Open { key: Some((key, _)), .. }, rest @ ..] => written(rest, &parent.key(key), last),
                [_, rest @ ..] => written(rest, parent, last),
            }
        }
        written(&self.open, &Path::Root, key)
    }

    fn place(&self, marker: Marker) -> Place {
        let offset = self.offsets.byte(marker.index());
        if offset == self.text.len() {
            // The parser counts a line more there.
            return end_of(self.text);
        }
        Place { line: number(marker.line()), column: number(marker.col() + 1), offset }
    }
}

/// Tags can be long by `%TAG` while the text stays short.
fn check_tag(tag: Option<&Tag>, at: Place) -> Result<(), Fatal> {
    match tag {
        Some(tag) if tag.handle.len() > 64 => Err(fatal("bad-tag", at, "the tag is too long")),
        _ => Ok(()),
    }
}

fn too_deep(at: Place) -> Fatal {
    fatal("too-deep", at, format!("lists and mappings are nested more than {MAX_DEPTH} deep"))
}

/// The byte positions of the characters of a text.
enum Offsets {
    Ascii(usize),
    Table(Vec<u32>),
}

impl Offsets {
    fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self::Ascii(text.len());
        }
        Self::Table(text.char_indices().map(|(byte, _)| number(byte)).chain([number(text.len())]).collect())
    }

    fn byte(&self, character: usize) -> usize {
        match self {
            Self::Ascii(len) => character.min(*len),
            Self::Table(table) => table.get(character).or(table.last()).map_or(0, |byte| *byte as usize),
        }
    }
}
