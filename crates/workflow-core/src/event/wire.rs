//! How an event is stored and shown: its number, time and version beside the fields of its body.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{EVENT_VERSION, Event, EventBody};

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            seq: u64,
            at: Timestamp,
            v: u32,
            #[serde(flatten)]
            body: &'a EventBody,
        }
        Wire { seq: self.seq, at: self.at, v: EVENT_VERSION, body: &self.body }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            seq: u64,
            at: Timestamp,
            v: u32,
            r#type: String,
            #[serde(default)]
            data: Option<Box<RawValue>>,
        }
        let wire = Wire::deserialize(deserializer)?;
        if wire.v != EVENT_VERSION {
            return Err(D::Error::custom(format_args!(
                "event {} has format version {}; this version reads {EVENT_VERSION}",
                wire.seq, wire.v
            )));
        }
        // `type` before `data`, so that raw values are taken as they stand.
        let kind = serde_json::to_string(&wire.r#type).map_err(D::Error::custom)?;
        let text = match &wire.data {
            Some(data) => format!("{{\"type\":{kind},\"data\":{}}}", data.get()),
            None => format!("{{\"type\":{kind}}}"),
        };
        let body = serde_json::from_str(&text)
            .map_err(|error| D::Error::custom(format_args!("event {}: {error}", wire.seq)))?;
        Ok(Self { seq: wire.seq, at: wire.at, body })
    }
}

impl JsonSchema for Event {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Event".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let body = generator.subschema_for::<EventBody>();
        schemars::json_schema!({
            "description": "A fact that happened to a run.",
            "type": "object",
            "properties": {
                "seq": { "type": "integer", "minimum": 1, "description": "Its number within the run." },
                "at": { "type": "string", "format": "date-time", "description": "When it was decided." },
                "v": { "const": EVENT_VERSION, "description": "The version of the event format." },
            },
            "required": ["seq", "at", "v"],
            "allOf": [body],
        })
    }
}
