//! Filters over numbers that 64 bits do not hold.
//!
//! `serde_json_path` compares the numbers of a filter as `f64`, so that `9007199254740993` and `9007199254740992` are
//! equal to it, and compares lists and objects by how their numbers are stored, so that `[1]` and `[1.0]` are not. A
//! filter asks numbers for nothing but their order. So where that matters each number of the document, and of the query
//! itself, is replaced by another of the same rank, and all of them by numbers of one kind. The only numbers that come
//! from elsewhere are lengths and counts; whole numbers as small as these stay what they are.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Number, Value};
use serde_json_path::JsonPath;

use super::brackets::string_length;
use crate::exact::{self, Decimal};

/// More than any length or count. Between each two whole numbers below it there are 2^28 numbers of 64 bits.
const MOST: u32 = 1 << 24;
/// Up to here all whole numbers are held.
const WHOLE: u64 = 1 << 53;

/// Whether a filter compares the numbers of a document exactly as they are.
pub(super) fn is_plain(document: &Value) -> bool {
    match document {
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(members) => exact::marked(document).is_none() && members.values().all(is_plain),
        Value::Number(number) => is_plain_number(number),
        _ => true,
    }
}

fn is_plain_number(number: &Number) -> bool {
    match (number.as_i64(), number.as_u64()) {
        (Some(whole), _) => whole.unsigned_abs() <= WHOLE,
        (None, Some(_)) => false,
        // A whole number that is stored as a fraction.
        (None, None) => number.as_f64().is_some_and(|number| number.fract() != 0.0),
    }
}

/// Whether the numbers in the filters of a query can be held as they are written.
pub(super) fn has_plain_numbers(query: &str) -> bool {
    let is_plain = |text: &str| {
        serde_json::from_str::<Number>(text).is_ok_and(|read| match (read.as_i64(), read.as_u64()) {
            (None, None) => Decimal::read(&read.to_string()) == Decimal::read(text),
            _ => is_plain_number(&read),
        })
    };
    numbers(query).into_iter().all(|range| is_plain(&query[range]))
}

/// The query and the document with numbers of the same rank. None where the query cannot be read, which it can.
pub(super) fn ranked(query: &str, document: &Value) -> Option<(JsonPath, Value)> {
    let numbers = numbers(query);
    let mut all: BTreeSet<Decimal> =
        numbers.iter().map(|range| Decimal::read(&query[range.clone()])).collect();
    each_number(document, &mut |number| {
        all.insert(Decimal::read(number));
    });
    let ranks = Ranks::of(all);

    let (mut text, mut copied) = (String::new(), 0);
    for range in numbers {
        text.push_str(&query[copied..range.start]);
        text.push_str(&ranks.get(&query[range.clone()]).to_string());
        copied = range.end;
    }
    text.push_str(&query[copied..]);
    let path = JsonPath::parse(&text).ok()?;
    Some((path, replaced(document, &ranks)))
}

/// Numbers and what stands for them, in their order.
struct Ranks(Vec<(Decimal, f64)>);

impl Ranks {
    fn of(numbers: BTreeSet<Decimal>) -> Self {
        let below = numbers.iter().take_while(|number| number.is_negative()).count();
        let mut ranks = Vec::with_capacity(numbers.len());
        // The numbers since the last whole one that have a place between it and the next.
        let (mut whole, mut between) = (0_u32, Vec::new());
        let mut above = 0_u32;
        for (place, number) in numbers.into_iter().enumerate() {
            if place < below {
                let rank = u32::try_from(below - place).unwrap_or(u32::MAX);
                ranks.push((number, -f64::from(rank)));
                continue;
            }
            let Some((part, is_whole)) = number.whole_part(MOST) else {
                spread(whole, &mut between, &mut ranks);
                above += 1;
                ranks.push((number, f64::from(MOST) + f64::from(above)));
                continue;
            };
            if part != whole {
                spread(whole, &mut between, &mut ranks);
                whole = part;
            }
            if is_whole {
                ranks.push((number, f64::from(part)));
            } else {
                between.push(number);
            }
        }
        spread(whole, &mut between, &mut ranks);
        Self(ranks)
    }

    fn get(&self, number: &str) -> f64 {
        let place = self.0.binary_search_by(|(known, _)| known.cmp(&Decimal::read(number)));
        // All are known.
        place.ok().and_then(|place| self.0.get(place)).map_or(0.0, |(_, rank)| *rank)
    }
}

/// Gives numbers between a whole one and the next their places.
fn spread(whole: u32, between: &mut Vec<Decimal>, ranks: &mut Vec<(Decimal, f64)>) {
    let parts = f64::from(u32::try_from(between.len()).unwrap_or(u32::MAX)) + 1.0;
    let placed = between.drain(..).zip(1_u32..);
    ranks.extend(placed.map(|(number, part)| (number, f64::from(whole) + f64::from(part) / parts)));
}

fn each_number(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::Number(number) => each(&number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| each_number(item, each)),
        Value::Object(members) => match exact::marked(value) {
            Some(number) => each(number),
            None => members.values().for_each(|member| each_number(member, each)),
        },
        _ => {}
    }
}

fn replaced(value: &Value, ranks: &Ranks) -> Value {
    let rank = |number: &str| Number::from_f64(ranks.get(number)).map_or(Value::Null, Value::Number);
    match value {
        Value::Number(number) => rank(&number.to_string()),
        Value::Array(items) => items.iter().map(|item| replaced(item, ranks)).collect(),
        Value::Object(members) => match exact::marked(value) {
            Some(number) => rank(number),
            None => members.iter().map(|(key, member)| (key.clone(), replaced(member, ranks))).collect(),
        },
        other => other.clone(),
    }
}

/// The places of numbers that are compared in a well-formed query: not those that are indexes or parts of
/// slices.
fn numbers(query: &str) -> Vec<Range<usize>> {
    let bytes = query.as_bytes();
    let (mut found, mut open, mut at) = (Vec::new(), Vec::new(), 0);
    // The last byte that is not a blank.
    let mut before = b' ';
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        match byte {
            b'\'' | b'"' => at += string_length(&query[at..], byte).unwrap_or(1),
            b'-' | b'0'..=b'9' => {
                let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                at += bytes[at..].iter().take_while(|byte| part(byte)).count();
                let is_index = open.last() == Some(&b'[') && matches!(before, b'[' | b',' | b':');
                if !is_index {
                    found.push(start..at);
                }
            }
            _ if byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii() => {
                let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
                at += bytes[at..].iter().take_while(|byte| part(byte)).count();
            }
            _ => {
                match byte {
                    b'[' | b'(' => open.push(byte),
                    b']' | b')' => drop(open.pop()),
                    _ => {}
                }
                at += 1;
            }
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
    }
    found
}
