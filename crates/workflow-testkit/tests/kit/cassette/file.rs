//! The file of a cassette.

use workflow_core::provider::Reply;
use workflow_testkit::cassette::{Cassette, Recorder};

use super::{Does, Shelf, ask, echo, request};

#[test]
fn the_format_is_lines_of_json_with_its_number_before_them() {
    let shelf = Shelf::new();
    let recorder = shelf.record(Does(echo));
    assert_eq!(shelf.text(), "{\"cassette\":1}\n");
    ask(&recorder, request("3/work[0]/run", "go")).0.unwrap();
    let call = r#"{"node":"work[0]/run","asked":{"prompt":"go"},"said":[],"took":0,"result":{"reply":{"output":"go"}}}"#;
    assert_eq!(shelf.text(), format!("{{\"cassette\":1}}\n{call}\n"));
}

#[test]
fn a_file_that_is_not_whole_is_refused_and_says_why() {
    let call = r#"{"node":"work[0]/run","asked":{"prompt":"go"},"said":[],"took":0,"result":{"reply":{"output":1}}}"#;
    for (text, problem) in [
        (String::new(), "is not a cassette: its first line is not {\"cassette\":1}"),
        ("name: a workflow\n".to_owned(), "is not a cassette"),
        (format!("{call}\n"), "is not a cassette"),
        ("{\"cassette\":2}\n{}\n".to_owned(), "has the format 2, and this version reads only 1"),
        (format!("{{\"cassette\":1}}\n{call}\n{}", &call[..40]), "line 3 is incomplete"),
        (format!("{{\"cassette\":1}}\n{call}\n{call}"), "line 3 is incomplete"),
        (format!("{{\"cassette\":1}}\n{}\n{call}\n", &call[..40]), "line 2 is not a recorded call: EOF"),
        (format!("{{\"cassette\":1}}\n{}\n", call.replace("reply", "song")), "unknown variant `song`"),
    ] {
        let shelf = Shelf::new();
        std::fs::write(&shelf.path, &text).unwrap();
        let error = Cassette::open(&shelf.path).unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains("calls.cassette"), "{error}");
    }
    let error = Cassette::open(Shelf::new().path).unwrap_err().to_string();
    assert!(error.contains("calls.cassette: No such file"), "{error}");
}

#[test]
fn a_recorder_continues_behind_what_is_there_and_removes_a_torn_line() {
    let shelf = Shelf::new();
    let asked = || request("1/work[0]/run", "first, é");
    ask(&shelf.record(Does(echo)), asked()).0.unwrap();
    let whole = shelf.text();
    for torn in 0..whole.len() {
        std::fs::write(&shelf.path, &whole.as_bytes()[..torn]).unwrap();
        if torn > 15 {
            let error = Cassette::open(&shelf.path).unwrap_err().to_string();
            assert!(error.contains("line 2 is incomplete"), "{torn}: {error}");
        }
        ask(&shelf.record(Does(echo)), asked()).0.unwrap();
        assert_eq!(shelf.text(), whole, "{torn}");
    }
    ask(&shelf.record(Does(echo)), request("1/work[0]/run", "second")).0.unwrap();
    let replay = shelf.play();
    for prompt in ["first, é", "second"] {
        assert_eq!(ask(&replay, request("1/work[0]/run", prompt)).0, Ok(Reply::text(prompt)));
    }
}

#[test]
fn a_recorder_leaves_a_file_alone_that_is_not_a_cassette_of_its_format() {
    for (text, problem) in [
        ("name: a workflow\n", "is not a cassette"),
        ("a line", "is not a cassette"),
        ("{\"cassette\":2}\n{}\n", "has the format 2"),
        ("{\"cassette\":1}\n{}\n", "line 2 is not a recorded call: missing field `node`"),
    ] {
        let shelf = Shelf::new();
        std::fs::write(&shelf.path, text).unwrap();
        let error = Recorder::new(Does(echo), &shelf.path).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        assert_eq!(shelf.text(), text);
    }
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_read_a_cassette() {
    use std::os::unix::fs::PermissionsExt as _;
    let shelf = Shelf::new();
    let mode = || std::fs::metadata(&shelf.path).unwrap().permissions().mode() & 0o777;
    shelf.record(Does(echo));
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&shelf.path, std::fs::Permissions::from_mode(0o644)).unwrap();
    shelf.record(Does(echo));
    assert_eq!(mode(), 0o600);
}
