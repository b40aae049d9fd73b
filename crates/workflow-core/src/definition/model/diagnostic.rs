//! Problems of a definition, described so that a person can correct them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that is wrong with a definition, and where.
///
/// ```
/// use workflow_core::definition::Diagnostic;
///
/// let problem = Diagnostic::error("unknown-key", "plan.retrys", "`retrys` is not a key of a stage").at(4, 3);
/// assert_eq!(problem.to_string(), "4:3: error[unknown-key]: `retrys` is not a key of a stage");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Whether it stops the definition from being used.
    pub severity: Severity,
    /// A name for this kind of problem that stays the same between versions: `unknown-key`.
    pub code: &'static str,
    /// The field, for instance `test.providers[1].role`; empty for the file as a whole.
    pub path: String,
    /// The line, counted from 1; 0 when the definition was not read from a text.
    pub line: u32,
    /// The column in characters, counted from 1; 0 when the definition was not read from a text.
    pub column: u32,
    /// What is wrong, and what to write instead.
    pub message: String,
    /// The file that the place is in, where that is another one than the workflow's: a profile, a role, a
    /// schema, the assignments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Box<str>>,
    /// What to put in place of the value at `path`, where that alone corrects it: an editor can offer it as a
    /// quick fix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<Box<str>>,
    /// What to call the key at the end of `path`, where that alone corrects it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rename: Option<Box<str>>,
}

/// Every [code](Diagnostic::code) of this workspace's diagnostics, in alphabetical order. The book's chapter on
/// troubleshooting has an entry for each.
///
/// ```
/// use workflow_core::definition::{DIAGNOSTIC_CODES, parse};
///
/// let parsed = parse(b"workflow: { stages: [] }", None);
/// assert!(parsed.diagnostics.iter().all(|found| DIAGNOSTIC_CODES.contains(&found.code)));
/// ```
pub const DIAGNOSTIC_CODES: &[&str] = &[
    "ambiguous-number",
    "bad-duration",
    "bad-expression",
    "bad-file",
    "bad-id",
    "bad-key",
    "bad-name",
    "bad-number",
    "bad-options",
    "bad-path",
    "bad-schema",
    "bad-tag",
    "bad-template",
    "bad-time",
    "bad-url",
    "bad-workflow",
    "bad-yaml",
    "conflicting-fields",
    "control-character",
    "cycle",
    "dangling-node",
    "dangling-stage",
    "duplicate-include",
    "duplicate-key",
    "duplicate-node",
    "duplicate-stage",
    "duplicate-variable",
    "dynamic-program",
    "id-mismatch",
    "merge-key",
    "missing-field",
    "missing-profile",
    "missing-role",
    "missing-schema",
    "missing-skill",
    "missing-workflow",
    "no-effect",
    "no-provider",
    "no-template",
    "no-vote",
    "not-utf8",
    "open-front-matter",
    "out-of-range",
    "reserved-name",
    "scaled-weights",
    "secret-in-argument",
    "several-documents",
    "shell-interpolation",
    "too-deep",
    "too-large",
    "too-many",
    "too-many-fields",
    "unknown-key",
    "unknown-name",
    "unknown-provider",
    "unknown-value",
    "unreachable-node",
    "workflow-cycle",
    "wrong-type",
];

/// How bad a [`Diagnostic`] is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The definition cannot be used.
    Error,
    /// The definition can be used, and may not mean what its author thinks.
    Warning,
}

/// The problems of a definition, as an error.
///
/// ```
/// use workflow_core::definition::{Diagnostic, Diagnostics};
///
/// let found: Diagnostics = [Diagnostic::warning("unused", "plan.model", "the provider ignores it")].into_iter().collect();
/// assert!(!found.has_errors() && found.iter().count() == 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostic {
    /// An error at a field, without a place in a text.
    pub fn error(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        Self {
            severity: Severity::Error,
            code,
            path,
            line: 0,
            column: 0,
            message,
            file: None,
            replacement: None,
            rename: None,
        }
    }

    /// A warning at a field, without a place in a text.
    pub fn warning(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, path, message) }
    }

    /// The same, at a line and a column counted from 1.
    #[must_use]
    pub fn at(self, line: u32, column: u32) -> Self {
        Self { line, column, ..self }
    }

    /// The same, in another file than the workflow's.
    #[must_use]
    pub fn in_file(self, file: impl Into<Box<str>>) -> Self {
        Self { file: Some(file.into()), ..self }
    }

    /// The same with what to write instead of the value at its path.
    #[must_use]
    pub fn with_replacement(self, replacement: impl Into<Box<str>>) -> Self {
        Self { replacement: Some(replacement.into()), ..self }
    }

    /// The same with the value to write instead of the one at its path, where one is known.
    #[must_use]
    pub fn with_near(self, near: Option<&str>) -> Self {
        match near {
            Some(near) => self.with_replacement(near),
            None => self,
        }
    }

    /// One line for a person; `own` is the file of what is not in another one.
    pub fn in_line(&self, own: &str) -> String {
        let line = self.line();
        DiagnosticLine { file: line.file.or(Some(own)), ..line }.to_string()
    }

    fn line(&self) -> DiagnosticLine<'_> {
        DiagnosticLine {
            file: self.file.as_deref(),
            line: self.line,
            column: self.column,
            path: &self.path,
            severity: self.severity,
            code: self.code,
            message: &self.message,
        }
    }

    /// Whether it is an error and not a warning.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// As [`DiagnosticLine`], with the file only where it is another one than the workflow's.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line().fmt(f)
    }
}

/// What `Display` writes of a [`Diagnostic`], for other types that have its parts.
///
/// ```
/// use workflow_core::definition::{DiagnosticLine, Severity};
///
/// let line = DiagnosticLine {
///     file: Some("ship.workflow.yml"),
///     line: 4,
///     column: 3,
///     path: "plan.retrys",
///     severity: Severity::Error,
///     code: "unknown-key",
///     message: "`retrys` is not a key of a stage",
/// };
/// assert_eq!(line.to_string(), "ship.workflow.yml:4:3: error[unknown-key]: `retrys` is not a key of a stage");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct DiagnosticLine<'a> {
    /// The file; absent: none is written.
    pub file: Option<&'a str>,
    /// The line, counted from 1; 0 without a place in a text.
    pub line: u32,
    /// The column, counted from 1.
    pub column: u32,
    /// The field, which is written where there is no line.
    pub path: &'a str,
    /// Whether it is an error or a warning.
    pub severity: Severity,
    /// The kind of problem.
    pub code: &'a str,
    /// What is wrong.
    pub message: &'a str,
}

/// `file:line:column: error[code]: message`; without a line the path stands for it.
impl fmt::Display for DiagnosticLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = self.file {
            write!(f, "{file}:{}", if self.line > 0 { "" } else { " " })?;
        }
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        } else if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}[{}]: {}", self.severity, self.code, self.message)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl Diagnostics {
    /// Each of them, in the order of the text.
    ///
    /// ```
    /// use workflow_core::definition::{Diagnostic, Diagnostics};
    ///
    /// let found = Diagnostics::from(vec![Diagnostic::error("unknown-key", "plan.retrys", "not a key")]);
    /// for diagnostic in &found {
    ///     assert_eq!(diagnostic.to_string(), "plan.retrys: error[unknown-key]: not a key");
    /// }
    /// ```
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Whether there is an error among them, and not only warnings.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<T: IntoIterator<Item = Diagnostic>>(diagnostics: T) -> Self {
        Self(diagnostics.into_iter().collect())
    }
}

/// One line each.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl From<Vec<Diagnostic>> for Diagnostics {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self(diagnostics)
    }
}
