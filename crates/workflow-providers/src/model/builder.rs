//! The settings of models.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{ModelProvider, Price, Settings};
use crate::client::{Client, Network};

/// Configures a [`ModelProvider`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ModelBuilder {
    network: Network,
    settings: Settings,
}

impl ModelProvider {
    /// Creates a provider with the defaults of [`ModelBuilder`].
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Creates a builder for other settings than the defaults.
    pub fn builder() -> ModelBuilder {
        ModelBuilder {
            network: Network::public(),
            settings: Settings { prices: HashMap::new(), patience: Duration::from_secs(10 * 60) },
        }
    }
}

impl Default for ModelProvider {
    fn default() -> Self {
        Self::new()
    }
}

impl ModelBuilder {
    /// Sets which addresses may be reached. Default: only public ones.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Sets what a model costs, by the name that definitions have for it. The cost of other models is unknown, unless the
    /// service reports it.
    pub fn price(mut self, model: impl Into<String>, price: Price) -> Self {
        self.settings.prices.insert(model.into(), price);
        self
    }

    /// Sets how long a service may send nothing before the call fails. Default: 10 minutes.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// Builds the provider.
    pub fn build(self) -> ModelProvider {
        ModelProvider { client: Client::new(self.network), settings: Arc::new(self.settings) }
    }
}
