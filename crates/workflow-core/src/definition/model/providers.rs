//! `config/providers.yml`: names of providers, with default options.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Period;

/// Names that definitions use for providers, with the default options of each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProviderSettings {
    /// By name.
    pub providers: IndexMap<String, ProviderSetting>,
    /// The names with a `headless_cmd`, which the desktop app executes and this engine does not.
    pub with_command: Vec<String>,
}

/// What a name of a provider stands for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProviderSetting {
    /// The registered name; absent: the same name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The options of calls that do not have them, key by key.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
    /// How long one attempt may take where neither the stage nor the node says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
}

impl ProviderSettings {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.providers.is_empty()
    }

    /// What is set for a name.
    pub fn get(&self, name: &str) -> Option<&ProviderSetting> {
        self.providers.get(name)
    }

    /// The registered name that a name stands for.
    ///
    /// ```
    /// use workflow_core::definition::parse_providers;
    ///
    /// let parsed = parse_providers(b"providers: { fast: { provider: codex } }");
    /// let settings = parsed.settings.expect("no errors");
    /// assert_eq!((settings.registered("fast"), settings.registered("gemini")), ("codex", "gemini"));
    /// ```
    pub fn registered<'n>(&'n self, name: &'n str) -> &'n str {
        self.get(name).and_then(|setting| setting.provider.as_deref()).unwrap_or(name)
    }
}

impl ProviderSetting {
    /// Whether an option is a template.
    pub(crate) fn has_expressions(&self) -> bool {
        self.with.values().any(|value| value.to_string().contains("${"))
    }

    /// Options with these, where they are not among them.
    pub(crate) fn merged(&self, own: Option<Map<String, Value>>) -> Map<String, Value> {
        let mut with = self.with.clone();
        with.extend(own.unwrap_or_default());
        with
    }
}

/// The form of the file, for its schema.
#[derive(JsonSchema)]
#[schemars(untagged, title = "Providers")]
#[allow(dead_code, reason = "only its schema is of use")]
pub(crate) enum ProvidersFile {
    /// The providers.
    Providers(ProvidersFields),
    /// None.
    Empty(()),
}

/// The providers.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is of use")]
pub(crate) struct ProvidersFields {
    /// What names of providers stand for: registered ones with default options, and others of your choice.
    providers: Option<IndexMap<String, Option<ProviderFields>>>,
}

/// What a name of a provider stands for.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is of use")]
pub(crate) struct ProviderFields {
    /// The registered provider that makes the calls; default: the one of this name.
    provider: Option<String>,
    /// Options of the provider for calls that do not have them.
    with: Option<Map<String, Value>>,
    /// How long one attempt may take where neither the stage nor the node says so: a number of milliseconds, or a length
    /// of time such as `30m`.
    timeout: Option<Milliseconds>,
    /// The command line of the desktop app; it is never executed here.
    headless_cmd: Option<Value>,
    /// A text that the desktop app shows.
    assisted_hint: Option<Value>,
}

/// A length of time in this file.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is of use")]
enum Milliseconds {
    Number(f64),
    Text(String),
}
