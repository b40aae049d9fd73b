//! Compares the redactor with a naive one, and tests it with the output of programs.

#![allow(
    clippy::unwrap_used,
    clippy::format_collect,
    reason = "a test fails by panicking, and need not be quick"
)]

#[path = "naive.rs"]
mod naive;

use proptest::prelude::*;
use serde_json::{Value, json};
use workflow_core::data::Data;
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::redact::{self, MARK, Piece, Redactor, SecretInKey};

fn redactor(secrets: &[&str]) -> Redactor {
    Redactor::new(secrets).unwrap()
}

fn redacted(secret: &str, text: &str) -> String {
    let mut text = text.to_owned();
    redactor(&[secret]).text(&mut text);
    text
}

fn streamed(redactor: &Redactor, pieces: &[(&str, Piece)]) -> Vec<String> {
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    for (text, piece) in pieces {
        stream.push((*text).to_owned(), *piece, |text| out.push(text));
    }
    stream.finish(|text| out.push(text));
    out
}

const SECRET: &str = "p/ä\"ss <w>+1\\";

#[test]
fn a_secret_is_found_however_programs_encode_it() {
    for text in [
        SECRET,
        // serde_json, Python, Go, PHP.
        r#"p/ä\"ss <w>+1\\"#,
        r#"p/\u00e4\"ss <w>+1\\"#,
        r#"p/ä\"ss \u003cw\u003e+1\\"#,
        r"p\/\u00e4\u0022ss \u003Cw\u003E+1\\",
        r"\u0070\u002f\u00e4\u0022\u0073\u0073\u0020\u003c\u0077\u003e\u002b\u0031\u005c",
        // encodeURI, encodeURIComponent, a form, curl, all of it.
        "p/%C3%A4%22ss%20%3Cw%3E+1%5C",
        "p%2F%C3%A4%22ss%20%3Cw%3E%2B1%5C",
        "p%2F%C3%A4%22ss+%3Cw%3E%2B1%5C",
        "p%2f%c3%a4%22ss%20%3cw%3e%2b1%5c",
        "%70%2F%C3%A4%22%73%73%20%3C%77%3E%2B%31%5C",
        // Base64: standard, URL-safe, wrapped.
        "cC/DpCJzcyA8dz4rMVw",
        "cC_DpCJzcyA8dz4rMVw",
        "cC/DpCJz\ncyA8dz4r\r\nMVw",
        // Hexadecimal.
        "702fc3a4227373203c773e2b315c",
        "702FC3A4227373203C773E2B315C",
    ] {
        assert_eq!(redacted(SECRET, text), MARK, "{text}");
        assert_eq!(redacted(SECRET, &format!("<{text}>")), format!("<{MARK}>"), "{text}");
    }
    assert_eq!(redacted(SECRET, "cC/DpCJzcyA8dz4rMVw="), "[redacted]=");
}

#[test]
fn a_secret_is_found_at_any_place_of_an_encoded_text() {
    // `user:` and more before the secret, and more after it.
    for (encoded, left) in [
        ("dXNlcjpodW50ZXIyLWh1bnRlcjI=", "dXNlcj[redacted]="),
        ("dXNlcnM6aHVudGVyMi1odW50ZXIyIQ==", "dXNlcnM6[redacted]Q=="),
        ("dXNlcnMyOmh1bnRlcjItaHVudGVyMiEh", "dXNlcnMyO[redacted]hIQ"),
    ] {
        let redacted = redacted("hunter2-hunter2", encoded);
        assert!(redacted.contains(MARK) && redacted.len() < encoded.len(), "{encoded}: {redacted} {left}");
    }
    assert_eq!(redacted("hunter2-hunter2", "a68756e746572322d68756e746572322b"), "a[redacted]2b");
}

#[test]
fn what_overlaps_is_taken_out_as_a_whole() {
    let mut text = "abcdefghi, abcdefabcdef".to_owned();
    redactor(&["abcdef", "defghi"]).text(&mut text);
    assert_eq!(text, "[redacted], [redacted][redacted]");
}

#[test]
fn a_text_without_a_secret_stays_as_it_is() {
    let none = Redactor::new([""; 2]).unwrap();
    assert!(none.is_empty());
    let redactor = redactor(&["hunter2"]);
    for text in ["", "hunter", "unter2", "hunte r2", "[redacted]", "%68%75%6", "aHVudGVy", "68756e746572"] {
        let mut same = text.to_owned();
        assert!(!redactor.text(&mut same) && !none.text(&mut same));
        assert_eq!(same, text);
        assert_eq!(streamed(&redactor, &[(text, Piece::Line)]), [text]);
    }
}

#[test]
fn each_line_of_a_secret_is_one_if_it_is_long_enough() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\r\n  kqhkiG9w0BAQEF\nAASC\n-----END KEY-----\n";
    let redactor = redactor(&[key]);
    let mut text = "> kqhkiG9w0BAQEF, MIIEvQIBADANBg, AASC".to_owned();
    redactor.text(&mut text);
    assert_eq!(text, "> [redacted], [redacted], AASC");
    for whole in [key.to_owned(), key.replace('\n', ""), Value::from(key).to_string()] {
        let mut text = whole.clone();
        redactor.text(&mut text);
        assert!(!text.contains("AASC"), "{text}");
    }
    // Line by line, like the output of a program.
    let lines: Vec<_> = key.lines().map(|line| (line, Piece::Line)).collect();
    assert!(!streamed(&redactor, &lines).concat().contains("AASC"));
}

#[test]
fn numbers_hold_secrets_too() {
    let redactor = redactor(&["123456"]);
    for (json, left) in [
        ("123456", r#""[redacted]""#),
        ("91234560", r#""9[redacted]0""#),
        ("-123456.0", r#""-[redacted].0""#),
        ("1.23456e5", r#""[redacted]""#),
        (
            r#"{"pin": 123456, "rest": [1.50, 12345678901234567890123]}"#,
            r#"{"pin": "[redacted]", "rest": [1.50, "[redacted]7890[redacted]7890123"]}"#,
        ),
        ("[1.50, 1e3]", "[1.50, 1e3]"),
    ] {
        let mut data: Data = serde_json::from_str(json).unwrap();
        redactor.data(&mut data).unwrap();
        assert_eq!(data.json(), left);
    }
    let mut value = json!({ "a": [123_456, -1, 123_456.5] });
    redactor.value(&mut value);
    assert_eq!(value, json!({ "a": [MARK, -1, "[redacted].5"] }));
}

#[test]
fn a_key_that_holds_a_secret_is_told() {
    let redactor = redactor(&["hunter\"2"]);
    for json in [r#"{"a": {"hunter\"2" : 1}}"#, r#"[{"a hunter\u00222": null}]"#, r#"{"aHVudGVyIjI=": 1}"#] {
        let mut data: Data = serde_json::from_str(json).unwrap();
        assert_eq!(redactor.data(&mut data), Err(SecretInKey), "{json}");
    }
    let mut data: Data = serde_json::from_str(r#"{"a": "hunter\"2", "b" : ["\"hunter\\\"2\""]}"#).unwrap();
    redactor.data(&mut data).unwrap();
    assert_eq!(data.json(), r#"{"a": "[redacted]", "b" : ["\"[redacted]\""]}"#);
}

#[test]
fn failures_are_redacted_with_their_details() {
    let mut failure = Failure::new(FailureClass::Permanent, "hunter2 was refused")
        .with_details(json!({ "hunter2": { "sent": ["Basic aHVudGVyMg=="] } }));
    redactor(&["hunter2"]).failure(&mut failure);
    assert_eq!(failure.message, "[redacted] was refused");
    assert_eq!(failure.details, Some(json!({ "[redacted]": { "sent": ["Basic [redacted]=="] } })));
}

#[test]
fn a_secret_is_found_over_pieces_and_the_last_words_are_not_lost() {
    let redactor = redactor(&["hunter2-hunter2"]);
    let deltas =
        ["the key is hun", "ter2-hunt", "er2, ok? hunter2", "-hunt"].map(|text| (text, Piece::Delta));
    assert_eq!(streamed(&redactor, &deltas).concat(), "the key is [redacted], ok? hunter2-hunt");
    // A line of more than 64 KiB is split into pieces, which stay separate.
    let long = "x".repeat(65_530) + " hunte";
    let parts =
        [(long.as_str(), Piece::Part), ("r2-hunter2 end", Piece::Line), ("next hunter2", Piece::Line)];
    let out = streamed(&redactor, &parts);
    assert_eq!(out[0], "x".repeat(65_530) + " ");
    assert_eq!(out[1..], ["[redacted]", " end", "next hunter2"]);
}

#[test]
fn lines_are_shown_at_once_unless_they_end_with_much_of_a_secret() {
    let redactor = redactor(&["hunter2-hunter2"]);
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    let mut say = |text: &str| {
        stream.push(text.to_owned(), Piece::Line, |text| out.push(text));
        out.len()
    };
    assert_eq!(
        [say(""), say("wash"), say("hunte"), say("more"), say("hunter2"), say("-hunter2 b")],
        [1, 2, 2, 4, 4, 6]
    );
    assert_eq!(out, ["", "wash", "hunte", "more", "[redacted]", " b"]);
}

#[test]
fn so_many_empty_lines_belong_to_no_secret_that_nothing_is_held_back_for_ever() {
    let redactor = redactor(&["hunter2-hunter2"]);
    let (mut stream, mut shown) = (redactor.stream(), 0);
    stream.push("hunter2".to_owned(), Piece::Line, |_| shown += 1);
    for _ in 0..100 {
        stream.push(String::new(), Piece::Line, |_| shown += 1);
    }
    assert_eq!(shown, 101);
}

#[test]
fn a_secret_that_is_too_short_is_refused_with_its_name() {
    assert!(redact::check("pin", "123456").is_ok());
    for value in ["", "12345", "äöüäö", " 1234 \n"] {
        let error = redact::check("pin", value).unwrap_err().to_string();
        assert!(
            error.starts_with("secret `pin` has fewer than 6 characters") && error.contains("use a longer"),
            "{error}"
        );
        assert!(value.trim().is_empty() || !error.contains(value.trim()), "{error}");
    }
    assert!(redact::check("key", &"x".repeat(65_537)).is_err());
}

/// A text in one of the encodings.
fn encoded(secret: &str, how: usize) -> String {
    let hex = |byte: u8| format!("{byte:02x}");
    match how {
        0 => Value::from(secret).to_string(),
        1 => secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
        2 => secret.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        3 => secret.bytes().map(hex).collect(),
        _ => secret.to_owned(),
    }
}

proptest! {
    #[test]
    fn the_redactor_does_what_a_naive_one_does(
        secrets in proptest::collection::vec("[a-c\"\\\\ é1\n]{2,9}", 1..3),
        parts in proptest::collection::vec(("[ -~\n]{0,9}", 0..5_usize, 0..2_usize), 0..5),
        cuts in proptest::collection::vec(0..200_usize, 0..6),
    ) {
        let parts = parts.iter().map(|(text, how, n)| encoded(&secrets[n % secrets.len()], *how) + text);
        let text: String = parts.collect();
        let expected = naive::without(&naive::places(&secrets, &text), &text);
        let redactor = Redactor::new(&secrets).unwrap();
        let mut whole = text.clone();
        redactor.text(&mut whole);
        prop_assert_eq!(&whole, &expected);
        let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| text.is_char_boundary(*cut)).collect();
        cuts.sort_unstable();
        cuts.extend([text.len()]);
        let (mut pieces, mut from) = (Vec::new(), 0);
        for cut in cuts {
            pieces.push((&text[from..cut], Piece::Delta));
            from = cut;
        }
        prop_assert_eq!(streamed(&redactor, &pieces).concat(), expected);
    }
}
