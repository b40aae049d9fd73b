//! `config/prices.yml` of the home: what models cost.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

use serde::Deserialize;
use workflow_providers::Price;

use crate::error::Error;
use crate::home::Home;

/// US dollars per million tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    input: f64,
    output: f64,
    cached_input: Option<f64>,
    cache_write: Option<f64>,
}

/// The prices by the name of the model; none where the file does not exist.
pub(crate) fn of(home: &Home) -> Result<Vec<(String, Price)>, Error> {
    let path = home.path.join("config/prices.yml");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::File { path, source }),
    };
    let rows: BTreeMap<String, Row> = serde_yaml::from_str(&text)
        .map_err(|error| Error::File { path, source: std::io::Error::new(ErrorKind::InvalidData, error) })?;
    Ok(rows.into_iter().map(|(model, row)| (model, row.price())).collect())
}

impl Row {
    fn price(&self) -> Price {
        let mut price = Price::per_million(self.input, self.output);
        if let Some(cached) = self.cached_input {
            price = price.cached_input(cached);
        }
        if let Some(written) = self.cache_write {
            price = price.cache_write(written);
        }
        price
    }
}
