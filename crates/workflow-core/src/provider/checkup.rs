//! What a provider reports about the program that it drives.

/// What a provider reports about the program that it drives; see [`Provider::checkup`](super::Provider::checkup).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkup {
    /// The program that was asked.
    pub program: String,
    /// Its version, or why it is unknown.
    pub version: Result<String, String>,
    /// The version that the provider was developed and tested with.
    pub tested: &'static str,
    /// Its login status; `None` if it cannot be asked.
    pub login: Option<String>,
    /// The environment variables that are set for it and named like keys. Their values are not read.
    pub keys: Vec<&'static str>,
}

impl Checkup {
    /// A report of a program with a version, or why that is unknown.
    pub fn new(program: impl Into<String>, version: Result<String, String>, tested: &'static str) -> Self {
        Self { program: program.into(), version, tested, login: None, keys: Vec::new() }
    }

    /// Whether the version is of the tested series: its first two numbers are the same.
    ///
    /// ```
    /// use workflow_core::provider::Checkup;
    ///
    /// let of = |version: &str| Checkup::new("agent", Ok(version.to_owned()), "2.1.330");
    /// assert!(of("2.1.400").is_tested() && !of("2.2.0").is_tested());
    /// ```
    pub fn is_tested(&self) -> bool {
        let series = |version: &str| version.splitn(3, '.').take(2).map(str::to_owned).collect::<Vec<_>>();
        self.version.as_ref().is_ok_and(|version| series(version) == series(self.tested))
    }
}
