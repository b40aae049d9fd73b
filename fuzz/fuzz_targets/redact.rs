//! Any secrets in any encoding, within any text in any pieces: the redactor's result equals that of a naive
//! one, and contains no inserted secret.
//!
//! `cargo fuzz run --sanitizer none redact -- -max_total_time=20 -max_len=256`

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use workflow_core::data::Data;
use workflow_core::redact::{MARK, Piece, Redactor, SHORTEST};

#[path = "../../crates/workflow-core/tests/redact/naive.rs"]
mod naive;

/// Secrets; texts, each followed by the number of a secret and of an encoding; the lengths of pieces.
type Input = ([String; 2], Vec<(String, u8, u8)>, Vec<u8>);

fuzz_target!(|input: Input| {
    let (secrets, parts, cuts) = input;
    let secrets = secrets.map(|mut secret| {
        // A secret does not contain nine consecutive line endings.
        let is_wrapped = secret.split(|c| !matches!(c, '\n' | '\r')).all(|ends| ends.len() < 9);
        if secret.replace(['\n', '\r'], "").chars().count() < SHORTEST || !is_wrapped {
            secret = format!("{}ü/\"+ 7", secret.replace(['\n', '\r'], ""));
        }
        secret
    });
    let redactor = Redactor::new(&secrets).expect("secrets are short");
    let (mut text, mut put_in) = (String::new(), Vec::new());
    for (around, which, how) in &parts {
        text.push_str(around);
        let secret = &secrets[usize::from(*which) % secrets.len()];
        let from = text.len();
        text.push_str(&encoded(secret, around, *how));
        put_in.push(from..text.len());
    }

    // A naive redactor's result, for the whole text and for pieces.
    let places = naive::places(&secrets, &text);
    let expected = naive::without(&places, &text);
    let mut whole = text.clone();
    assert_eq!(redactor.text(&mut whole), !places.is_empty());
    assert_eq!(whole, expected, "{text:?} {secrets:?}");
    for piece in [Piece::Delta, Piece::Part] {
        assert_eq!(streamed(&redactor, &text, &cuts, piece).concat(), expected);
    }
    // Every inserted secret was found.
    for put in put_in {
        assert!(
            places.iter().any(|place| place.start < put.end && put.start < place.end),
            "{text:?} {put:?}"
        );
    }
    // In lines, no whole secret is left.
    for line in streamed(&redactor, &text, &cuts, Piece::Line) {
        assert!(line.split(MARK).all(|rest| !redactor.is_in(rest)), "{line:?}");
    }
    // In data, no part of a secret is left in any text.
    let mut data = Data::new(&json!([&text, { "a": [&text] }]));
    redactor.data(&mut data).expect("no key holds one");
    let value = data.value();
    assert!([&value[0], &value[1]["a"][0]].into_iter().all(|text| text.as_str() == Some(expected.as_str())));
});

fn streamed(redactor: &Redactor, text: &str, cuts: &[u8], piece: Piece) -> Vec<String> {
    let (mut stream, mut out, mut rest) = (redactor.stream(), Vec::new(), text);
    for cut in cuts {
        let cut = (0..=usize::from(*cut).min(rest.len())).rev().find(|cut| rest.is_char_boundary(*cut));
        let (text, after) = rest.split_at(cut.unwrap_or(0));
        stream.push(text.to_owned(), piece, |text| out.push(text));
        rest = after;
    }
    stream.push(rest.to_owned(), piece, |text| out.push(text));
    stream.finish(|text| out.push(text));
    out
}

/// A secret in one of the encodings. `around` decides what is next to it in a longer encoded text.
fn encoded(secret: &str, around: &str, how: u8) -> String {
    let upper = how & 0x10 != 0;
    let hex = |byte: u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
    let some = |n: usize| how & 0x20 != 0 || n % 3 == usize::from(how >> 6) % 3;
    let long = [&around.as_bytes()[..around.len().min(5)], secret.as_bytes(), around.as_bytes()].concat();
    match how % 8 {
        0 => secret.to_owned(),
        1 => format!(" {}", json!(secret)),
        // Starts with a space: another character there could change the first escape.
        2 => {
            let unit = |(n, character): (usize, char)| {
                let mut units = [0; 2];
                let units = character.encode_utf16(&mut units);
                let must = matches!(character, '"' | '\\') || character < ' ';
                if must || some(n) {
                    units
                        .iter()
                        .map(|unit| format!("\\u{}{}", hex((unit >> 8) as u8), hex(*unit as u8)))
                        .collect()
                } else if character == '/' {
                    "\\/".to_owned()
                } else {
                    character.to_string()
                }
            };
            format!(" {}", secret.chars().enumerate().map(unit).collect::<String>())
        }
        3 => {
            let unit = |(n, character): (usize, char)| {
                let mut bytes = [0; 4];
                let bytes = character.encode_utf8(&mut bytes);
                if some(n) || matches!(character, '%' | '+' | ' ') {
                    bytes.bytes().map(|byte| format!("%{}", hex(byte))).collect()
                } else {
                    character.to_string()
                }
            };
            format!(" {}", secret.chars().enumerate().map(unit).collect::<String>())
        }
        // Form encoding: `+` for each space.
        4 => {
            let unit = |byte: u8| match byte {
                b' ' => "+".to_owned(),
                byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                byte => format!("%{}", hex(byte)),
            };
            format!(" {}", secret.bytes().map(unit).collect::<String>())
        }
        5 => long.iter().map(|byte| hex(*byte)).collect(),
        _ => base64(&long, how & 0x20 != 0, how & 0x40 != 0, how & 0x80 != 0),
    }
}

fn base64(bytes: &[u8], url_safe: bool, padded: bool, wrapped: bool) -> String {
    let last = if url_safe { "-_" } else { "+/" };
    let alphabet = format!("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789{last}");
    let mut encoded = String::new();
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for n in 0..4 {
            if n <= three.len() {
                encoded.push(char::from(alphabet.as_bytes()[(bits >> (18 - 6 * n)) as usize & 63]));
            } else if padded {
                encoded.push('=');
            }
        }
        if wrapped && encoded.len().is_multiple_of(19) {
            encoded.push('\n');
        }
    }
    encoded
}
