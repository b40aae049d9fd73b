//! What a call used, as far as it is known.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens and cost of one call. What is not known is absent: absent is not zero.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Cost in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// What several calls used together. Calls with unknown values are counted, and never treated as zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Spent {
    /// How many attempts there were.
    pub attempts: u64,
    /// US dollars, of the attempts whose cost is known; null while it is known of none.
    pub cost_usd: Option<f64>,
    /// The attempts whose cost is not known.
    pub unpriced: u64,
    /// Tokens read and written, of the attempts whose tokens are known; null while they are known of none.
    pub tokens: Option<u64>,
    /// The attempts whose tokens are not known.
    pub uncounted: u64,
    /// How long the attempts took together, in milliseconds.
    pub time_ms: u64,
}

impl Spent {
    /// Adds an attempt.
    pub fn add(&mut self, usage: Option<&Usage>, time_ms: u64) {
        self.attempts += 1;
        self.time_ms = self.time_ms.saturating_add(time_ms);
        let (cost, tokens) = (usage.and_then(|usage| usage.cost_usd), usage.and_then(Usage::tokens));
        self.unpriced += u64::from(cost.is_none());
        self.uncounted += u64::from(tokens.is_none());
        self.add_known(cost, tokens);
    }

    /// Adds a cost and tokens, where they are known.
    pub(crate) fn add_known(&mut self, cost: Option<f64>, tokens: Option<u64>) {
        if let Some(cost) = cost {
            self.cost_usd = Some(self.cost_usd.unwrap_or(0.0) + cost);
        }
        if let Some(tokens) = tokens {
            self.tokens = Some(self.tokens.unwrap_or(0).saturating_add(tokens));
        }
    }

    /// Adds what other calls used together.
    ///
    /// ```
    /// use workflow_core::usage::{Spent, Usage};
    ///
    /// let mut stage = Spent::default();
    /// stage.add(Some(&Usage { cost_usd: Some(0.25), ..Usage::default() }), 1_000);
    /// let mut run = stage;
    /// run.add_all(stage);
    /// assert_eq!((run.attempts, run.cost_usd, run.uncounted, run.time_ms), (2, Some(0.5), 2, 2_000));
    /// ```
    pub fn add_all(&mut self, others: Self) {
        self.attempts += others.attempts;
        self.add_known(others.cost_usd, others.tokens);
        self.unpriced += others.unpriced;
        self.uncounted += others.uncounted;
        self.time_ms = self.time_ms.saturating_add(others.time_ms);
    }
}

impl Usage {
    /// Adds the usage of another call; a value that is known for only one of them is kept.
    pub(crate) fn add(&mut self, other: &Self) {
        let tokens = |sum: &mut Option<u64>, more: Option<u64>| {
            *sum = more.map(|more| sum.unwrap_or(0).saturating_add(more)).or(*sum);
        };
        tokens(&mut self.input_tokens, other.input_tokens);
        tokens(&mut self.output_tokens, other.output_tokens);
        self.cost_usd = other.cost_usd.map(|more| self.cost_usd.unwrap_or(0.0) + more).or(self.cost_usd);
    }

    /// Tokens read and written, where anything is known of them.
    pub fn tokens(&self) -> Option<u64> {
        match (self.input_tokens, self.output_tokens) {
            (None, None) => None,
            (input, output) => Some(input.unwrap_or(0).saturating_add(output.unwrap_or(0))),
        }
    }
}
