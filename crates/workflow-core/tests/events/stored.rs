//! The stored form of events: what is written, read and refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};
use workflow_core::data::Data;
use workflow_core::event::{EVENT_VERSION, Event, EventBody};

use crate::kinds::{event, kinds, line, stage};

#[test]
fn every_kind_is_written_as_documented_and_read_back() {
    for (body, rest) in kinds() {
        let event = event(4, body);
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(text, line(rest));
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::from_value::<Event>(value).unwrap(), event, "{text}, as a value");
        assert!(text.contains(&format!(r#""type":"{}""#, event.body.kind())), "{text}");
    }
}

#[test]
fn every_kind_follows_the_schema() {
    let schema = jsonschema::validator_for(&workflow_core::schema::run_event()).unwrap();
    for (_, rest) in kinds() {
        let event: Value = serde_json::from_str(&line(rest)).unwrap();
        let wrong = schema.validate(&event).map_err(|error| error.to_string());
        assert_eq!(wrong, Ok(()), "{event}");
    }
    assert!(
        !schema.is_valid(&json!({ "seq": 1, "at": "2026-01-02T03:04:05Z", "v": 1, "type": "unheard_of" }))
    );
}

/// Outside its crate the enum cannot be matched without a wildcard; its schema lists its kinds.
#[test]
fn no_kind_is_left_out_here() {
    let schema = schemars::schema_for!(EventBody).to_value();
    let kinds_of_schema: BTreeSet<String> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind["properties"]["type"]["const"].as_str().unwrap().to_owned())
        .collect();
    let kinds_here: BTreeSet<String> = kinds().iter().map(|(body, _)| body.kind().to_owned()).collect();
    assert_eq!(kinds_here, kinds_of_schema);
}

#[test]
fn only_three_kinds_end_a_run() {
    let terminal: BTreeSet<_> =
        kinds().iter().filter(|(body, _)| body.is_terminal()).map(|(body, _)| body.kind()).collect();
    assert_eq!(terminal, BTreeSet::from(["run_cancelled", "run_completed", "run_failed"]));
}

#[test]
fn the_order_of_keys_and_what_is_not_known_of_an_event_do_not_matter() {
    let expected = event(4, EventBody::StageStarted { iteration: 1, stage: stage("plan"), lanes: 1 });
    for text in [
        r#"{"seq":4,"at":"2026-01-02T03:04:05Z","v":1,"data":{"iteration":1,"stage":"plan"},"type":"stage_started"}"#,
        r#"{"data":{"stage":"plan","iteration":1},"type":"stage_started","v":1,"at":"2026-01-02T03:04:05Z","seq":4}"#,
        r#"{"seq":4,"at":"2026-01-02T04:04:05+01:00","v":1,"type":"stage_started","data":{"iteration":1,"stage":"plan"}}"#,
        "{ \"seq\" : 4,\n\"at\":\"2026-01-02T03:04:05Z\",\"v\":1,\"type\":\"stage_started\",\
         \"data\":{ \"iteration\": 1,\n \"stage\": \"plan\" } }",
        // A field that a later version added.
        r#"{"seq":4,"at":"2026-01-02T03:04:05Z","v":1,"type":"stage_started","data":{"iteration":1,"stage":"plan","new":[]},"new":1}"#,
    ] {
        assert_eq!(serde_json::from_str::<Event>(text).unwrap(), expected, "{text}");
    }
    for text in [line(r#""type":"run_started","data":null"#), line(r#""data":null,"type":"run_started""#)] {
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event(4, EventBody::RunStarted), "{text}");
    }
}

#[test]
fn an_event_of_another_version_is_refused() {
    let table = [
        // Unknown versions and types.
        (
            line(r#""type":"run_started""#).replace(r#""v":1"#, r#""v":2"#),
            "event 4 has format version 2; this version reads 1",
        ),
        (
            line(r#""type":"run_started""#).replace(r#""v":1"#, r#""v":0"#),
            "event 4 has format version 0; this version reads 1",
        ),
        (
            line(r#""type":"new_kind","data":{"a":1}"#).replace(r#""v":1"#, r#""v":7"#),
            "event 4 has format version 7; this version reads 1",
        ),
        (
            line(r#""type":"run_exploded","data":{}"#),
            "event 4: unknown variant `run_exploded`, expected one of `run_created`, ",
        ),
        (line(r#""type":"RunStarted""#), "event 4: unknown variant `RunStarted`, expected one of "),
        (line(r#""type":"","data":{}"#), "event 4: unknown variant ``, expected one of "),
        (
            line(r#""type":"run_started\",\"data\":\"""#),
            "event 4: unknown variant `run_started\",\"data\":\"`, expected one of ",
        ),
        // Missing and wrong fields.
        (r#"{"at":"2026-01-02T03:04:05Z","v":1,"type":"run_started"}"#.into(), "missing field `seq`"),
        (r#"{"seq":4,"v":1,"type":"run_started"}"#.into(), "missing field `at`"),
        (r#"{"seq":4,"at":"2026-01-02T03:04:05Z","type":"run_started"}"#.into(), "missing field `v`"),
        (r#"{"seq":4,"at":"2026-01-02T03:04:05Z","v":1}"#.into(), "missing field `type`"),
        (line(r#""type":"run_started","seq":5"#), "duplicate field `seq`"),
        (line(r#""type":"run_started","type":"run_paused""#), "duplicate field `type`"),
        (line(r#""type":"run_started""#).replace("2026-01-02T03", "2026-13-02T03"), "failed to parse"),
        (line(r#""type":"run_started""#).replace(":4,", ":-4,"), "invalid value: integer `-4`, expected u64"),
        (line(r#""type":"stage_started""#), "event 4: missing field `data`"),
        (line(r#""type":"stage_started","data":null"#), "event 4: missing field `data`"),
        (line(r#""type":"stage_started","data":{"iteration":1}"#), "event 4: missing field `stage`"),
        (
            line(r#""type":"stage_started","data":{"iteration":1,"stage":"../x"}"#),
            "event 4: `../x` is not a stage id: ",
        ),
        (
            line(r#""type":"stage_started","data":{"iteration":-1,"stage":"x"}"#),
            "event 4: invalid value: integer `-1`, expected u32",
        ),
        (
            line(r#""type":"attempt_cancelled","data":{"path":"test","attempt":1}"#),
            "event 4: `test` is not a node path: ",
        ),
        (
            line(r#""type":"attempt_succeeded","data":{"path":"1/a[0]/run","attempt":1}"#),
            "event 4: missing field `output`",
        ),
        (
            line(r#""type":"run_failed","data":{"error":{"class":"odd","message":"m"}}"#),
            "event 4: unknown variant `odd`, expected one of `transient`, ",
        ),
        (
            line(r#""type":"run_created","data":{"run":"r","workflow":"w","bundle":"00","seed":1}"#),
            "event 4: `00` is not a bundle hash: ",
        ),
        // Not an event.
        (String::new(), "EOF while parsing"),
        ("null".into(), "invalid type: null"),
        ("7".into(), "invalid type: integer `7`"),
        (line(r#""type":"run_started""#)[..40].into(), "EOF while parsing"),
        (line(r#""type":"run_started""#) + "}", "trailing characters"),
    ];
    for (text, message) in table {
        let error = serde_json::from_str::<Event>(&text).expect_err(&text).to_string();
        assert!(error.starts_with(message), "{text}\n{error}\n{message}");
    }
}

#[test]
fn values_are_kept_as_they_were_written() {
    let values = [
        r#"{"b":1,"a":{"z":[],"y":{}}}"#,
        "123456789012345678901234567890.000",
        "1E400",
        r#""\u0041\ud83e\udd80\/""#,
        "[ 1,  2 ]",
        "\"${vars.secret}\"",
    ];
    for value in values {
        let text = line(&format!(
            r#""type":"attempt_succeeded","data":{{"path":"1/a[0]/run","attempt":1,"output":{value}}}"#
        ));
        let event: Event = serde_json::from_str(&text).unwrap();
        let EventBody::AttemptSucceeded { output, .. } = &event.body else { panic!("{event:?}") };
        assert_eq!(output.json(), value);
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::with_cases(256)
    })]

    #[test]
    fn any_number_time_and_text_survive(
        seq in any::<u64>(),
        nanos in -62_000_000_000_000_000_000_i128..250_000_000_000_000_000_000,
        text in any::<String>(),
        key in any::<String>(),
    ) {
        let event = Event {
            seq,
            at: Timestamp::from_nanosecond(nanos).unwrap(),
            body: EventBody::StageCompleted {
                iteration: u32::MAX,
                stage: stage("a"),
                output_of: None,
                set: Some(Arc::new(IndexMap::from([(key, Data::new(&json!(text)))]))),
            },
        };
        let line = serde_json::to_string(&event).unwrap();
        prop_assert!(!line.contains('\n'), "an event is one line of a log: {}", line);
        prop_assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn a_damaged_line_is_refused_or_is_another_event(
        kind in 0..kinds().len(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = line(kinds()[kind].1).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(event) = serde_json::from_slice::<Event>(&bytes) {
            let again = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(serde_json::from_str::<Event>(&again).unwrap(), event);
        }
        prop_assert!(serde_json::from_slice::<Event>(&bytes[..at]).is_err());
    }
}

#[test]
fn the_schema_of_an_event_tells_its_version_and_refers_to_its_kinds() {
    let schema = schemars::schema_for!(Event).to_value();
    assert_eq!(schema["properties"]["v"]["const"], EVENT_VERSION);
    assert_eq!(schema["required"], json!(["seq", "at", "v"]));
    assert_eq!(schema["allOf"], json!([{ "$ref": "#/$defs/EventBody" }]));
}
