//! A name that does not exist, and the one that was probably meant.

use std::fmt;

use crate::expr::error::short;
use crate::expr::name::Name;
use crate::expr::scope::Scope;

/// A name that a template refers to does not exist, and has no default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError {
    name: String,
    suggestion: Option<String>,
    known: Vec<String>,
}

/// Longer names are not compared for likeness, which takes the product of their lengths.
const LONGEST_COMPARED: usize = 128;
/// A message lists no more names than these.
const MOST_LISTED: usize = 30;
/// How alike the differing parts of two names must be: two letters of three.
const LIKENESS: f64 = 0.66;

impl NameError {
    pub(super) fn new(name: &Name, scope: &dyn Scope) -> Self {
        let name: String = short(name.as_str()).to_owned();
        let known = scope.known();
        let suggestion = nearest(&name, &known).map(str::to_owned);
        Self { name, suggestion, known }
    }

    /// The name that does not exist.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The existing name that looks most like it, if any does.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    /// The names that exist.
    pub fn known(&self) -> &[String] {
        &self.known
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no `{}`", self.name)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean `{suggestion}`?")?;
        }
        if self.known.is_empty() {
            return write!(f, " (no names are known here)");
        }
        write!(f, " (known: {}", self.known[..self.known.len().min(MOST_LISTED)].join(", "))?;
        match self.known.len().saturating_sub(MOST_LISTED) {
            0 => write!(f, ")"),
            more => write!(f, " and {more} more)"),
        }
    }
}

impl std::error::Error for NameError {}

fn nearest<'k>(name: &str, known: &'k [String]) -> Option<&'k str> {
    let likeness = |candidate: &'k String| {
        let comparable = name.len().max(candidate.len()) <= LONGEST_COMPARED;
        let score = if comparable { likeness(name, candidate) } else { 0.0 };
        (score, candidate.as_str())
    };
    known
        .iter()
        .map(likeness)
        .filter(|(score, _)| *score >= LIKENESS)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// How alike two names are where they differ: what they share at both ends would make all names
/// of one kind look alike.
fn likeness(a: &str, b: &str) -> f64 {
    let (mut a, mut b): (Vec<&str>, Vec<&str>) = (a.split('.').collect(), b.split('.').collect());
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    a.drain(..same);
    b.drain(..same);
    while !a.is_empty() && a.last() == b.last() {
        a.pop();
        b.pop();
    }
    strsim::normalized_damerau_levenshtein(&a.join("."), &b.join("."))
}
