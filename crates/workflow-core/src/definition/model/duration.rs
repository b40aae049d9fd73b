//! Lengths of time as people write them: `30m`, `1h30m`, `500ms`, or a number of seconds.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, written as `90s`, `30m`, `1h30m`, `2d`, `500ms`, or as a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period(pub Duration);

/// Why a text is not a [`Period`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time: write for instance `90s`, `30m`, `1h30m`, or a number of seconds")]
pub struct InvalidDuration(String);

/// A time that a text says, or why it says none.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    text.trim().parse().map_err(|_| {
        let text: String = text.chars().take(40).collect();
        format!("`{text}` is not a time: write a date and a time with the offset from UTC, as `2026-12-01T08:00:00Z`")
    })
}

impl Period {
    /// A period of so many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A period of a number of seconds that may have a fraction.
    ///
    /// # Errors
    ///
    /// [`InvalidDuration`] when the number is negative, not finite, or more than a century.
    pub fn from_secs_f64(seconds: f64) -> Result<Self, InvalidDuration> {
        if (0.0..=3.2e9).contains(&seconds) {
            Ok(Self(Duration::from_secs_f64(seconds)))
        } else {
            Err(InvalidDuration(if seconds.abs() < 1e15 {
                seconds.to_string()
            } else {
                format!("{seconds:e}")
            }))
        }
    }
}

impl std::str::FromStr for Period {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let invalid = || InvalidDuration(text.chars().take(40).collect());
        if let Ok(seconds) = text.trim().parse::<f64>() {
            return Self::from_secs_f64(seconds).map_err(|_| invalid());
        }
        let span: jiff::Span = text.parse().map_err(|_| invalid())?;
        let span = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| invalid())?;
        let period = Duration::try_from(span).map_err(|_| invalid())?;
        Self::from_secs_f64(period.as_secs_f64()).map_err(|_| invalid())?;
        Ok(Self(period))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.subsec_nanos();
        if nanos == 0 {
            write!(f, "{}s", self.0.as_secs())
        } else if nanos.is_multiple_of(1_000_000) {
            write!(f, "{}ms", self.0.as_millis())
        } else {
            write!(f, "{}ns", self.0.as_nanos())
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PeriodVisitor;

        impl Visitor<'_> for PeriodVisitor {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time such as `30m`, or a number of seconds")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Period, E> {
                #[allow(clippy::cast_precision_loss, reason = "out of range long before precision is lost")]
                Period::from_secs_f64(seconds as f64).map_err(E::custom)
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Period, E> {
                Period::from_secs_f64(seconds).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(PeriodVisitor)
    }
}

impl schemars::JsonSchema for Period {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A length of time: `90s`, `30m`, `1h30m`, or a number of seconds.",
            "type": ["string", "number"],
            "minimum": 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_understood() {
        for (text, millis) in [
            ("90s", 90_000),
            ("30m", 1_800_000),
            ("1h30m", 5_400_000),
            ("2h", 7_200_000),
            ("2d", 172_800_000),
            ("500ms", 500),
            ("5", 5_000),
            ("0.25", 250),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.0, Duration::from_millis(millis), "{text}");
            assert_eq!(period.to_string().parse::<Period>().unwrap(), period, "{text}");
        }
    }

    #[test]
    fn an_invalid_duration_is_refused() {
        for text in ["", "soon", "-5", "-5m", "1e300", "NaN", "5 parsecs"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
