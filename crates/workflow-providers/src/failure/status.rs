//! The HTTP status that a message names: in a JSON object within it, or where its words say that it is one. A
//! number in a sentence is none.

use serde_json::Value;

const KNOWN: [u16; 15] = [400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529];

/// The words behind a status in the first line of a response.
const PHRASES: [&str; 15] = [
    "bad request",
    "unauthorized",
    "payment required",
    "forbidden",
    "not found",
    "request timeout",
    "conflict",
    "payload too large",
    "unprocessable entity",
    "too many requests",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway timeout",
    "overloaded",
];

/// The HTTP status in a message.
pub(super) fn of_message(message: &str) -> Option<u16> {
    in_json(message).or_else(|| in_words(&message.to_ascii_lowercase()))
}

fn in_json(message: &str) -> Option<u16> {
    // The first object that is complete; an error of another error quotes it.
    let starts = message.match_indices('{').map(|(at, _)| at).take(4);
    let mut objects = starts.filter_map(|at| {
        let mut values = serde_json::Deserializer::from_str(&message[at..]).into_iter::<Value>();
        values.next()?.ok()
    });
    objects.find_map(|object| of_object(&object, 3))
}

fn of_object(object: &Value, depth: u8) -> Option<u16> {
    let number = |name: &str| known(object.get(name)?.as_u64()?);
    let own = ["http_status", "status_code", "statusCode", "status", "code"].into_iter().find_map(number);
    own.or_else(|| of_object(object.get("error").filter(|_| depth > 0)?, depth - 1))
}

fn known(number: u64) -> Option<u16> {
    u16::try_from(number).ok().filter(|status| KNOWN.contains(status))
}

fn in_words(lower: &str) -> Option<u16> {
    let bytes = lower.as_bytes();
    let starts = (0..bytes.len().saturating_sub(2)).filter(|at| {
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let is_inside =
            |at: usize| bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        (0..3).all(|more| is_digit(at + more)) && !is_inside(at + 3) && (*at == 0 || !is_inside(at - 1))
    });
    let mut starts = starts;
    starts.find_map(|at| {
        let status = known(lower[at..at + 3].parse().ok()?)?;
        is_status(&lower[..at], &lower[at + 3..]).then_some(status)
    })
}

fn is_status(before: &str, after: &str) -> bool {
    if before.ends_with('(') && after.starts_with(')') {
        return true;
    }
    if PHRASES.iter().any(|phrase| after.trim_start_matches([' ', ':', '-', '"']).starts_with(phrase)) {
        return true;
    }
    let before = before.trim_end_matches([' ', ':', '=', '"', '\'', '(', '\\', '#']);
    let says = |words: &[&str]| words.iter().any(|word| before.ends_with(word));
    let is_last = !after.trim_start_matches(' ').starts_with(|c: char| c.is_alphanumeric());
    says(&["status", "status code", "status_code", "http", "http/1.1", "http/2", "api error", "error code"])
        || (says(&["error", "code"]) && is_last && !says(&["exit code", "exited with code"]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_number_in_a_sentence_is_not_a_status() {
        for (message, status) in [
            ("last status: 429 Too Many Requests", Some(429)),
            ("unexpected status 503 Service Unavailable: fake", Some(503)),
            ("{\"message\":\"x\",\"http_status\":403}", Some(403)),
            (
                "Internal error: {\n \"message\": \"API error (status 400 Bad Request): 500 files\",\n \"http_status\": 400\n}",
                Some(400),
            ),
            ("[API Error: {\"error\":{\"code\":503}}]", Some(503)),
            ("Unauthorized (401) from http://127.0.0.1:403/v1", Some(401)),
            ("API Error: 529 Overloaded", Some(529)),
            ("HTTP/1.1 402 Payment Required", Some(402)),
            ("fake error 400", Some(400)),
            ("status=500", Some(500)),
            ("the answer has 500 lines, 429 of which are new", None),
            ("error: 500 files were not written", None),
            ("see line 401", None),
            ("it exited with code 404", None),
            ("connect to 127.0.0.1:503 failed", None),
            ("v500 is not supported", None),
            ("{\"limit\":429}", None),
            ("", None),
        ] {
            assert_eq!(super::of_message(message), status, "{message}");
        }
    }
}
