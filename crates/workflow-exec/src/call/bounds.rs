//! Limits the size and depth of a call's result before it is written to the log.

use serde_json::{Value, json};
use workflow_core::data::{Data, plain_or_text};
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::provider::{ProviderError, Reply};

/// How deeply an output may be nested: less than JSON parsers allow, so that outputs can be nested inside
/// others.
const MOST_NESTED: usize = 64;

/// Turns an output that is too large or too deep into an error.
pub(crate) fn check(result: &mut Result<Reply, ProviderError>, most_bytes: usize) {
    let reply = match result {
        Ok(reply) => reply,
        Err(error) => return check_error(error, most_bytes),
    };
    let length = reply.output.len();
    let message = if length > most_bytes {
        format!("the output has {length} bytes; at most {most_bytes} are kept")
    } else if depth(reply.output.json()) > MOST_NESTED {
        format!("the output is nested more than {MOST_NESTED} deep")
    } else {
        if let Some(details) = reply.details.take() {
            reply.details = Some(Box::new(plain_or_text(*details)));
        }
        return;
    };
    let usage = reply.usage.take();
    *result = Err(ProviderError { usage, ..ProviderError::new(FailureClass::InvalidOutput, message) });
}

fn check_error(error: &mut ProviderError, most_bytes: usize) {
    let details = error.failure.details.take_if(|details| depth(&details.to_string()) > MOST_NESTED);
    if details.is_some() {
        error.failure.details = Some(json!("left out: nested too deeply"));
    }
    error.failure.details = error.failure.details.take().map(plain_or_text);
    error.output = error.output.take().and_then(|output| partial(output, most_bytes));
}

/// Limits the output of a failed call: of a longer text the end is kept; any other output that is too large
/// or too deep is dropped.
fn partial(output: Data, most_bytes: usize) -> Option<Data> {
    if output.len() <= most_bytes {
        return Some(output).filter(|output| depth(output.json()) <= MOST_NESTED);
    }
    let Value::String(text) = output.value() else { return None };
    let mut length = most_bytes;
    loop {
        let least = text.len().saturating_sub(length);
        let from = (least..text.len()).find(|at| text.is_char_boundary(*at))?;
        let cut = Data::new(&Value::String(format!("[… {from} bytes left out …]\n{}", &text[from..])));
        if cut.len() <= most_bytes {
            return Some(cut);
        }
        // Escaped characters take more room than their bytes.
        length /= 2;
    }
}

/// An array of outputs that is too deep is an error.
pub(crate) fn nesting(output: Data) -> Result<Data, Failure> {
    if depth(output.json()) <= MOST_NESTED {
        return Ok(output);
    }
    let message = format!("the outputs of the items are nested more than {} deep", MOST_NESTED - 1);
    Err(Failure::new(FailureClass::InvalidOutput, message))
}

/// How deeply a JSON text is nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                // Skips to the end of the string, past escaped characters.
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(mut result: Result<Reply, ProviderError>, most_bytes: usize) -> Result<Reply, ProviderError> {
        check(&mut result, most_bytes);
        result
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(Value::Null, |inner, _| json!([inner]))
    }

    #[test]
    fn the_depth_of_a_text_leaves_strings_out() {
        for (text, deepest) in [("1", 0), ("[]", 1), (r#"{"a":[{}]}"#, 3), (r#"["[[\"[", "]"]"#, 1)] {
            assert_eq!(depth(text), deepest, "{text}");
        }
    }

    #[test]
    fn what_could_not_be_read_again_is_not_an_output() {
        assert!(checked(Ok(Reply::json(&nested(64))), 1_000).is_ok());
        let error = checked(Ok(Reply::json(&nested(65))), 1_000).unwrap_err();
        assert_eq!(error.to_string(), "the output is nested more than 64 deep");
        let error = checked(Ok(Reply::text("x".repeat(999))), 1_000).unwrap_err();
        assert_eq!(error.to_string(), "the output has 1001 bytes; at most 1000 are kept");
    }

    #[test]
    fn what_a_failed_call_gave_is_cut_to_its_end() {
        let left = |output: Value| {
            checked(Err(ProviderError::transient("no").with_output(output)), 100).unwrap_err().output
        };
        assert_eq!(left(json!([1, "a"])), Some(Data::new(&json!([1, "a"]))));
        assert_eq!(left(json!(["x".repeat(100)])), None);
        assert_eq!(left(nested(40).clone()), Some(Data::new(&nested(40))));
        assert_eq!(left(nested(65)), None);
        for text in ["x".repeat(1000), "é\u{1}\"".repeat(300)] {
            let kept = left(json!(format!("{text}end"))).unwrap();
            let shown = kept.value().as_str().unwrap().to_owned();
            assert!(kept.len() <= 100 && shown.starts_with("[… ") && shown.ends_with("end"), "{shown}");
        }
    }

    #[test]
    fn numbers_of_details_that_64_bits_do_not_hold_become_texts() {
        let details = Data::parse(r#"{"a":[1e400,1e2,0.5],"b":23000000000000000001}"#).unwrap().exact_value();
        let expected = json!({ "a": ["1e400", 100.0, 0.5], "b": "23000000000000000001" });
        let error = ProviderError::transient("no").with_details(details.clone());
        assert_eq!(checked(Err(error), 100).unwrap_err().failure.details, Some(expected.clone()));
        let reply = Reply { details: Some(Box::new(details)), ..Reply::text("yes") };
        assert_eq!(checked(Ok(reply), 100).unwrap().details.as_deref(), Some(&expected));
    }

    #[test]
    fn details_that_could_not_be_read_again_are_left_out() {
        let error = ProviderError::transient("no").with_details(nested(100));
        let error = checked(Err(error), 1_000).unwrap_err();
        assert_eq!(error.failure.details, Some(json!("left out: nested too deeply")));
    }
}
