//! The README works as written.

use std::fs;
use std::path::Path;

use super::document;

#[test]
fn the_readme_works_from_top_to_bottom() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let script = document::run("README.md", &readme);
    assert!(script.matches("workflow ").count() > 30, "{script}");
    // The rest is compared with the files that it shows.
    let quickstart = fs::read_to_string(root.join("examples/quickstart/src/main.rs")).unwrap();
    for (language, number, text) in document::blocks(&readme) {
        match language {
            "rust,ignore" => {
                let missing = text.lines().find(|line| !quickstart.contains(line.trim()));
                assert_eq!(missing, None, "README.md:{number}: not in the quickstart");
            }
            "toml" => {
                for path in text.split('"').filter_map(|part| part.strip_prefix("../workflow/")) {
                    assert!(root.join(path).join("Cargo.toml").exists(), "README.md:{number}: {path}");
                }
            }
            _ => {}
        }
    }
    assert!(root.join("examples/cli/Cargo.toml").exists(), "`cargo install` is told where the program is");
}
