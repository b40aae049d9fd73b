//! Searching for secrets in the output of providers.

use workflow_core::redact::Redactor;

use crate::measure::{Effort, Result, busy, repeat};
use crate::table::Row;

/// How much text is searched at a time.
const KIB: usize = 256;

/// The floor: copying the same text.
pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let words = "cargo test: 214 passed; building target/release/deps (3.2s) in ~/project – ok\n";
    let digits = "TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNlY3RldHVyIGFkaXBpc2NpbmcgZWxpdA";
    let mut rows = Vec::new();
    for secrets in [1, 10] {
        let secrets = (0..secrets).map(|n| format!("{}hp_{n}k3J9xT2vQ8wL5mZ7", (b'a' + n) as char));
        let number = secrets.len();
        let redactor = Redactor::new(secrets)?;
        for (what, text) in [("of a log", words), ("in Base64", digits)] {
            let text: String = text.chars().cycle().take(KIB * 1024).collect();
            let [searched, floor] = repeat(effort.repetitions(), KIB, || {
                let (copy, floor) = busy(|| text.clone());
                let (found, searched) = busy(|| redactor.is_in(&copy));
                assert!(!found);
                Ok([searched, floor])
            })?;
            let row = format!("secrets looked for in 1 KiB {what}, {number} of them");
            rows.push(Row::times(row, searched, Some(floor)));
        }
    }
    Ok(rows)
}
