//! Serves the fake of the model APIs, for trying a command line against it.
//!
//! ```text
//! model-api [PORT]
//! ```
//!
//! Prints its address, and ends with its standard input (Ctrl-D): then it prints the requests that it
//! received, each as a line of JSON without its keys.

use std::error::Error;
use std::io::{self, Read as _, Write as _};

use workflow_tests::model_api::{ModelApi, Scenario};

fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let api = ModelApi::start_on(port)?;
    writeln!(io::stdout(), "{}", api.url(Scenario::Ok))?;
    io::stdin().read_to_end(&mut Vec::new())?;
    for request in api.requests() {
        writeln!(io::stdout(), "{}", serde_json::to_string(&request)?)?;
    }
    Ok(())
}
