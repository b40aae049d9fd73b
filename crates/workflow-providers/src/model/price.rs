//! What tokens cost.

use workflow_core::usage::Usage;

const MILLION: f64 = 1_000_000.0;

/// What a model costs, in US dollars per million tokens.
///
/// ```
/// use workflow_providers::Price;
///
/// let price = Price::per_million(3.0, 15.0).cached_input(0.3).cache_write(3.75);
/// # let _ = price;
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    input: f64,
    output: f64,
    cached_input: Option<f64>,
    cache_write: Option<f64>,
}

/// The tokens of a call, as far as they are told.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tokens {
    /// All of the prompt, with those below.
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
    /// Those that were read from a cache, and those that were written to one.
    pub(crate) cached: u64,
    pub(crate) written: u64,
    /// The cost, where the service tells it.
    pub(crate) cost: Option<f64>,
}

impl Tokens {
    pub(crate) fn usage(&self, price: Option<&Price>) -> Option<Usage> {
        let cost_usd = self.cost.or_else(|| price?.cost(self));
        let usage = Usage { input_tokens: self.input, output_tokens: self.output, cost_usd };
        (usage != Usage::default()).then_some(usage)
    }
}

impl Price {
    /// The price of a million tokens of the prompt, and of the answer.
    pub const fn per_million(input: f64, output: f64) -> Self {
        Self { input, output, cached_input: None, cache_write: None }
    }

    /// Sets the price of a million tokens that the service read from a cache. Without it the cost of a call that used a
    /// cache is unknown.
    #[must_use]
    pub const fn cached_input(self, price: f64) -> Self {
        Self { cached_input: Some(price), ..self }
    }

    /// Sets the price of a million tokens that the service wrote to a cache. Without it the cost of a call that did so is
    /// unknown.
    #[must_use]
    pub const fn cache_write(self, price: f64) -> Self {
        Self { cache_write: Some(price), ..self }
    }

    /// The cost, if all of it is known.
    #[allow(clippy::cast_precision_loss, reason = "a cost is rounded in any case")]
    pub(super) fn cost(&self, tokens: &Tokens) -> Option<f64> {
        let part = |count: u64, price: f64| count as f64 / MILLION * price;
        let special = |count: u64, price: Option<f64>| match count {
            0 => Some(0.0),
            count => price.map(|price| part(count, price)),
        };
        let plain = tokens.input?.saturating_sub(tokens.cached).saturating_sub(tokens.written);
        Some(
            part(plain, self.input)
                + part(tokens.output?, self.output)
                + special(tokens.cached, self.cached_input)?
                + special(tokens.written, self.cache_write)?,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_makes_the_cost_unknown() {
        let plain = Price::per_million(3.0, 15.0);
        let full = plain.cached_input(0.3).cache_write(4.0);
        let tokens = |input, output, cached, written| Tokens { input, output, cached, written, cost: None };
        for (price, tokens, cost) in [
            (plain, tokens(Some(1_000_000), Some(100_000), 0, 0), Some(4.5)),
            (plain, tokens(Some(10), None, 0, 0), None),
            (plain, tokens(None, Some(10), 0, 0), None),
            (plain, tokens(Some(10), Some(10), 5, 0), None),
            (plain, tokens(Some(10), Some(10), 0, 5), None),
            (full, tokens(Some(1_000_000), Some(0), 500_000, 250_000), Some(1.9)),
        ] {
            let found = price.cost(&tokens);
            let is_same = match (found, cost) {
                (Some(found), Some(cost)) => (found - cost).abs() < 1e-9,
                (found, cost) => found.is_none() && cost.is_none(),
            };
            assert!(is_same, "{tokens:?}: {found:?}");
        }
    }
}
