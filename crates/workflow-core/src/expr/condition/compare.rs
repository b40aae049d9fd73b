//! Comparisons of JSON values, as RFC 9535 §2.3.5.2.2 defines them. Numbers that 64 bits do not hold are compared by
//! their digits.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::exact;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Op {
    pub(super) fn holds(self, left: &Value, right: &Value) -> bool {
        match self {
            Self::Eq => equal(left, right),
            Self::Ne => !equal(left, right),
            Self::Lt => order(left, right) == Some(Ordering::Less),
            Self::Gt => order(left, right) == Some(Ordering::Greater),
            Self::Le => order(left, right) == Some(Ordering::Less) || equal(left, right),
            Self::Ge => order(left, right) == Some(Ordering::Greater) || equal(left, right),
        }
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(_), _) | (_, Value::Object(_)) if is_number(left, right) => {
            exact::compare(left, right) == Some(Ordering::Equal)
        }
        (Value::Number(left), Value::Number(right)) => order_numbers(left, right) == Some(Ordering::Equal),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        _ => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => order_numbers(left, right),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => exact::compare(left, right),
    }
}

/// Whether one is a number that only its text tells exactly.
fn is_number(left: &Value, right: &Value) -> bool {
    exact::marked(left).is_some() || exact::marked(right).is_some()
}

/// Integers compare exactly, also with others: as floating-point numbers, large ones that differ would be equal.
fn order_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    const HELD: u128 = 1 << 53;
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        (Some(whole), None) | (None, Some(whole)) if whole.unsigned_abs() > HELD => {
            Some(exact::Decimal::read(&left.to_string()).cmp(&exact::Decimal::read(&right.to_string())))
        }
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}
