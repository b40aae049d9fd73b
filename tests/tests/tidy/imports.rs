//! Which files of a crate import which: the `use` declarations and paths in their tokens.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// For each file, by its path within `src`, the files that it imports from. Declarations and re-exports of
/// modules do not count, and unit tests may import anything.
pub(crate) type Imports = BTreeMap<String, BTreeSet<String>>;

type Path = Vec<String>;

/// The names that a file uses.
#[derive(Default)]
struct Names {
    uses: Vec<Use>,
    /// Paths in code.
    paths: Vec<Path>,
    /// All identifiers in code.
    words: BTreeSet<String>,
    /// Modules in a file with another name.
    elsewhere: Vec<(String, String)>,
}

struct Use {
    path: Path,
    /// Its name here.
    name: String,
    is_public: bool,
}

/// The files with their texts, and their modules.
struct Crate {
    names: BTreeMap<String, Names>,
    modules: BTreeMap<Path, Vec<String>>,
}

/// The imports between the files of a crate, given with their paths within `src`.
pub(crate) fn imports<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Imports {
    let mut all = Crate { names: BTreeMap::new(), modules: BTreeMap::new() };
    for (path, text) in files {
        let mut names = Names::default();
        let tokens: Result<TokenStream, _> = text.parse();
        assert!(tokens.is_ok(), "{path} cannot be read");
        read(tokens.unwrap(), &mut names);
        all.modules.entry(module_of(path)).or_default().push(path.to_owned());
        for (module, file) in &names.elsewhere {
            let folder = module_of(path);
            let file = folder.iter().cloned().chain([file.clone()]).collect::<Vec<_>>().join("/");
            all.modules.entry([folder, vec![module.clone()]].concat()).or_default().push(file);
        }
        all.names.insert(path.to_owned(), names);
    }
    all.names.keys().map(|path| (path.clone(), all.imports_of(path))).collect()
}

/// The module of a file: `a/b.rs` and `a/b/mod.rs` are `a::b`.
fn module_of(path: &str) -> Path {
    let mut parts: Path = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

impl Crate {
    fn imports_of(&self, file: &str) -> BTreeSet<String> {
        let names = &self.names[file];
        let used = names.uses.iter().filter(|import| !import.is_public || names.words.contains(&import.name));
        let paths = used.map(|import| &import.path).chain(&names.paths);
        let found = paths.filter_map(|path| self.absolute(path, &module_of(file)));
        let mut found: BTreeSet<_> = found.flat_map(|path| self.files(&path, 0)).collect();
        found.remove(file);
        found
    }

    /// A path from the crate's root; `None` if it leads out of the crate, or to an item of the same file.
    fn absolute(&self, path: &[String], module: &[String]) -> Option<Path> {
        let (mut base, mut rest) = (module.to_vec(), path);
        match path.first()?.as_str() {
            "crate" => (base, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|first| first == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            child => {
                base.push(child.to_owned());
                self.modules.get(&base)?;
                rest = &path[1..];
            }
        }
        Some([&base, rest].concat())
    }

    /// The files with the item that a path from the root names, behind all re-exports.
    fn files(&self, path: &[String], depth: u32) -> Vec<String> {
        let module = (0..=path.len()).rev().map(|end| path.split_at(end));
        let Some((module, rest)) = module.into_iter().find(|(module, _)| self.modules.contains_key(*module))
        else {
            return Vec::new();
        };
        let files = &self.modules[module];
        let again = files.iter().filter_map(|file| {
            let uses = &self.names.get(file)?.uses;
            let import = uses.iter().find(|import| import.is_public && Some(&import.name) == rest.first())?;
            Some([&self.absolute(&import.path, module)?, rest.get(1..)?].concat())
        });
        match again.into_iter().next() {
            Some(again) if depth < 8 => self.files(&again, depth + 1),
            _ => files.clone(),
        }
    }
}

/// Reads the names in tokens.
fn read(tokens: TokenStream, names: &mut Names) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut attributes = String::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = |offset: usize| tokens.get(at + offset);
        at += match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let group = next(1).map(ToString::to_string).unwrap_or_default();
                attributes.push_str(&group.replace(' ', ""));
                2
            }
            TokenTree::Ident(word) if word == "pub" => {
                // `pub(in crate::x)` imports nothing.
                if is_group(next(1), Delimiter::Parenthesis) { 2 } else { 1 }
            }
            TokenTree::Ident(word) if word == "use" => {
                let end = tokens[at..].iter().position(|token| is_punct(Some(token), ';'));
                let end = end.unwrap_or(tokens.len() - at);
                if !attributes.contains("cfg(test)") {
                    let is_public = (1..=2)
                        .any(|back| at.checked_sub(back).is_some_and(|at| tokens[at].to_string() == "pub"));
                    tree(&tokens[at + 1..at + end], &[], is_public, &mut names.uses);
                }
                attributes.clear();
                end
            }
            TokenTree::Ident(word) if word == "mod" && next(1).is_some_and(is_word) => {
                let is_test = attributes.contains("cfg(test)");
                let module = tokens[at + 1].to_string();
                match next(2) {
                    Some(TokenTree::Group(body)) if !is_test => read(body.stream(), names),
                    Some(TokenTree::Group(_)) => {}
                    _ => {
                        let others = attributes.match_indices("path=\"");
                        let others = others.filter_map(|(at, mark)| {
                            attributes[at + mark.len()..].split('"').next().map(str::to_owned)
                        });
                        names.elsewhere.extend(others.map(|other| (module.clone(), other)));
                    }
                }
                attributes.clear();
                3
            }
            TokenTree::Ident(word) => {
                attributes.clear();
                names.words.insert(word.to_string());
                let path = path(&tokens[at..]);
                let length = path.len();
                if length > 1 {
                    names.words.extend(path.iter().cloned());
                    names.paths.push(path);
                }
                3 * length - 2
            }
            TokenTree::Group(group) => {
                read(group.stream(), names);
                1
            }
            // An identifier after a dot, or after a generic path, does not start a path.
            TokenTree::Punct(punct) if punct.as_char() == '.' && next(1).is_some_and(is_word) => {
                names.words.insert(tokens[at + 1].to_string());
                2
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => 1,
        };
    }
}

/// The path that tokens begin with: words with `::` between.
fn path(tokens: &[TokenTree]) -> Path {
    let mut path = vec![tokens[0].to_string()];
    while let [colon, other, word, ..] = &tokens[3 * path.len() - 2..]
        && is_punct(Some(colon), ':')
        && is_punct(Some(other), ':')
        && is_word(word)
    {
        path.push(word.to_string());
    }
    path
}

/// Reads the tree after `use`, or a part of it in braces.
fn tree(tokens: &[TokenTree], before: &[String], is_public: bool, uses: &mut Vec<Use>) {
    let mut path = before.to_vec();
    let mut name = None;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                for part in inner.split(|token| is_punct(Some(token), ',')).filter(|part| !part.is_empty()) {
                    tree(part, &path, is_public, uses);
                }
                return;
            }
            TokenTree::Ident(word) if word == "as" => {
                name = tokens.get(at + 1).map(ToString::to_string);
                break;
            }
            TokenTree::Ident(word) if word == "self" && !path.is_empty() => {}
            TokenTree::Ident(word) => path.push(word.to_string()),
            _ => {}
        }
    }
    let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
    uses.push(Use { path, name, is_public });
}

fn is_punct(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

fn is_group(token: Option<&TokenTree>, delimiter: Delimiter) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == delimiter)
}

fn is_word(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(_))
}

/// The sets of files that import each other, directly or through others of the set.
pub(crate) fn rings(imports: &Imports) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<&String, _> =
        imports.keys().map(|file| (file, reached_from(file, imports))).collect();
    let ring = |file: &String| -> BTreeSet<String> {
        let mutual = |other: &&String| reached[file].contains(other) && reached[other].contains(file);
        imports.keys().filter(mutual).cloned().collect()
    };
    let rings: BTreeSet<_> = imports.keys().map(ring).filter(|ring| ring.len() > 1).collect();
    rings.into_iter().collect()
}

fn reached_from<'i>(file: &'i String, imports: &'i Imports) -> BTreeSet<&'i String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file];
    while let Some(file) = open.pop() {
        open.extend(imports.get(file).into_iter().flatten().filter(|other| reached.insert(*other)));
    }
    reached
}
