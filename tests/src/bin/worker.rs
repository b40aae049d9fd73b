//! A worker for tests that kill it: executes all unclaimed runs of a store.
//!
//! ```text
//! worker ORDERS
//! ```
//!
//! ORDERS is JSON ([`Orders`]). It works until its standard input ends, so that it does not outlive its test;
//! it reports problems on standard error.

use std::error::Error;
use std::io::Read as _;

use futures::executor::block_on;
use workflow_core::stop::Stop;
use workflow_tests::worker::Orders;

fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
        .init();
    let orders: Orders = serde_json::from_str(&std::env::args().nth(1).ok_or("worker ORDERS")?)?;
    let engine = orders.engine()?.build()?;
    let leaving = engine.clone();
    std::thread::spawn(move || {
        // An error is an end as well.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        block_on(leaving.shutdown(Stop::Gracefully));
    });
    block_on(engine.work(Orders::options()))?;
    Ok(())
}
