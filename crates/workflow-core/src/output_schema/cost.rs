//! How much work it can be to check a value, estimated before anything is checked.
//!
//! A schema is a graph: some edges stay at the same place of the value (`allOf`, `$ref`), others go into it
//! (`properties`, `items`). Sixty definitions of which each refers twice to the next lead to 2^60 evaluations at one
//! place, and a definition that refers twice to itself at the same member doubles them with each level of the value.
//! Both are counted here over the graph, which takes a time proportional to its size.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::references::{DEEPEST, is_data};

/// How many evaluations of subschemas one place of a value may need at most.
const MOST_AT_A_PLACE: u64 = 100_000;
/// How many evaluations a value may need at most.
const MOST: u64 = 100_000_000;
/// How many references and subschemas may follow one another.
const LONGEST_CHAIN: usize = 400;

/// What checking a value can cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Evaluations at one place of the value.
    at_a_place: u64,
    /// By how much that grows with each level of the value, where the schema is recursive.
    growth: u64,
}

/// A schema is too complex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooComplex {
    /// One place of a value needs too many evaluations.
    FansOut,
    /// A chain of references is too long.
    Chain,
    /// References lead back in several ways, without going into the value.
    Circles,
}

impl Cost {
    /// The cost of a schema whose references all are places in itself.
    pub(super) fn of(schema: &Value) -> Result<Self, TooComplex> {
        let mut graph = Graph::default();
        graph.index(schema, schema, DEEPEST);
        graph.visit(schema)?;
        let at_a_place = graph.done.get(&address(schema)).map_or(1, Counts::most);
        if at_a_place > MOST_AT_A_PLACE {
            return Err(TooComplex::FansOut);
        }
        Ok(Self { at_a_place, growth: graph.growth })
    }

    /// Whether checking `value` stays within the limit.
    pub(super) fn allows(self, value: &Value) -> bool {
        let places = |total: u64| total.saturating_mul(self.at_a_place);
        places(weight(value, 1, self.growth)) <= MOST
    }
}

/// The number of places in a value, those of each level counted `growth` times those of the level above.
fn weight(value: &Value, each: u64, growth: u64) -> u64 {
    let below = each.saturating_mul(growth);
    let sum = |values: &mut dyn Iterator<Item = &Value>| {
        values.fold(each, |sum, value| sum.saturating_add(weight(value, below, growth)))
    };
    match value {
        Value::Array(items) => sum(&mut items.iter()),
        Value::Object(members) => sum(&mut members.values()),
        _ => each,
    }
}

/// Where an edge leads within a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Into<'s> {
    Member(&'s str),
    AnyMember,
    Item,
}

/// What one subschema leads to.
#[derive(Debug, Clone, Default)]
struct Counts<'s> {
    /// Evaluations at the same place.
    here: u64,
    /// The most evaluations at a place below, by where it is.
    below: BTreeMap<Into<'s>, u64>,
    /// Edges that lead back to this subschema in the end, by where they lead.
    back: BTreeMap<Into<'s>, u64>,
    /// Edges to subschemas of the same component that stay at the same place.
    inside: usize,
    /// One of those leads back to where it began: the validator follows it once.
    circles: bool,
    /// The first of those under way that can be reached from here.
    low: usize,
}

impl Counts<'_> {
    fn most(&self) -> u64 {
        self.here.max(widest(&self.below))
    }
}

/// The largest sum of what meets at one place.
fn widest(edges: &BTreeMap<Into<'_>, u64>) -> u64 {
    let any = edges.get(&Into::AnyMember).copied().unwrap_or(0);
    let one = edges.iter().filter(|(into, _)| matches!(into, Into::Member(_))).map(|(_, count)| *count).max();
    let items = edges.get(&Into::Item).copied().unwrap_or(0);
    any.saturating_add(one.unwrap_or(0)).max(items)
}

fn add<'s>(to: &mut BTreeMap<Into<'s>, u64>, into: Into<'s>, count: u64) {
    let sum = to.entry(into).or_default();
    *sum = sum.saturating_add(count);
}

type Address = *const Value;

fn address(schema: &Value) -> Address {
    schema
}

/// The graph, as far as it was gone through: Tarjan's search for strongly connected components.
#[derive(Default)]
struct Graph<'s> {
    /// The resource that a subschema belongs to: the nearest one around it that has an `$id`.
    resources: HashMap<Address, &'s Value>,
    /// Names that subschemas give themselves, in their resources.
    anchors: HashMap<(Address, &'s str), &'s Value>,
    /// Subschemas under way, from the root on, and whether the edge to each stays at the same place.
    path: Vec<(Address, bool)>,
    done: HashMap<Address, Counts<'s>>,
    /// Of those done, the ones whose component is not complete.
    open: Vec<Address>,
    /// The number of each in the order in which they were begun.
    numbers: HashMap<Address, usize>,
    growth: u64,
}

impl<'s> Graph<'s> {
    fn index(&mut self, schema: &'s Value, resource: &'s Value, deeper: usize) {
        let Some(deeper) = deeper.checked_sub(1) else { return };
        match schema {
            Value::Object(members) => {
                let is_resource = members.get("$id").is_some_and(Value::is_string);
                let resource = if is_resource { schema } else { resource };
                self.resources.insert(address(schema), resource);
                for key in ["$anchor", "$dynamicAnchor"] {
                    if let Some(Value::String(name)) = members.get(key) {
                        self.anchors.insert((address(resource), name), schema);
                    }
                }
                for (_, value) in members.iter().filter(|(key, _)| !is_data(key)) {
                    self.index(value, resource, deeper);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.index(item, resource, deeper)),
            _ => {}
        }
    }

    fn visit(&mut self, schema: &'s Value) -> Result<(), TooComplex> {
        self.enter(schema, true)
    }

    fn enter(&mut self, schema: &'s Value, in_place: bool) -> Result<(), TooComplex> {
        if self.path.len() >= LONGEST_CHAIN {
            return Err(TooComplex::Chain);
        }
        let here = address(schema);
        let number = self.numbers.len();
        self.numbers.insert(here, number);
        self.path.push((here, in_place));
        let mut counts = Counts { here: 1, low: number, ..Counts::default() };
        for (into, target) in self.edges(schema) {
            self.follow(&mut counts, into, target)?;
        }
        self.path.pop();
        let low = counts.low;
        self.done.insert(here, counts);
        self.open.push(here);
        if low == number {
            self.close(here)?;
        }
        Ok(())
    }

    /// Follows one edge from the subschema whose counts these are.
    fn follow(
        &mut self,
        counts: &mut Counts<'s>,
        into: Option<Into<'s>>,
        target: &'s Value,
    ) -> Result<(), TooComplex> {
        let there = address(target);
        if !self.numbers.contains_key(&there) {
            self.enter(target, into.is_none())?;
        }
        if let Some(at) = self.path.iter().position(|(address, _)| *address == there) {
            counts.circles |= into.is_none() && self.path[at + 1..].iter().all(|(_, in_place)| *in_place);
            counts.low = counts.low.min(self.numbers[&there]);
            if let Some(into) = into {
                add(&mut counts.below, into.clone(), 1);
                add(&mut counts.back, into, 1);
            } else {
                counts.here = counts.here.saturating_add(1);
                counts.inside += 1;
            }
            return Ok(());
        }
        let Some(found) = self.done.get(&there) else { return Ok(()) };
        let is_of_component = self.open.contains(&there);
        if is_of_component {
            counts.low = counts.low.min(found.low);
        }
        if let Some(into) = into {
            add(&mut counts.below, into.clone(), found.most());
            if is_of_component {
                add(&mut counts.back, into, 1);
            }
            return Ok(());
        }
        counts.inside += usize::from(is_of_component);
        counts.here = counts.here.saturating_add(found.here);
        for (into, count) in &found.below {
            add(&mut counts.below, into.clone(), *count);
        }
        for (into, count) in found.back.iter().filter(|_| is_of_component) {
            add(&mut counts.back, into.clone(), *count);
        }
        Ok(())
    }

    /// A component is complete: `first` was the first of it.
    fn close(&mut self, first: Address) -> Result<(), TooComplex> {
        let first = self.open.iter().position(|address| self.numbers[address] >= self.numbers[&first]);
        let component = self.open.split_off(first.unwrap_or(0));
        let counts = || component.iter().filter_map(|address| self.done.get(address));
        let growth = counts().map(|counts| widest(&counts.back)).max();
        // A single circle ends by itself. Of several that share subschemas there are more ways through than can
        // be counted.
        let inside: usize = counts().map(|counts| counts.inside).sum();
        if inside > component.len() && counts().any(|counts| counts.circles) {
            return Err(TooComplex::Circles);
        }
        self.growth = self.growth.max(growth.unwrap_or(0)).max(1);
        Ok(())
    }

    /// The subschemas that a subschema leads to. Those of the same place have no `Into`.
    fn edges(&self, schema: &'s Value) -> Vec<(Option<Into<'s>>, &'s Value)> {
        let Value::Object(members) = schema else { return Vec::new() };
        let mut edges = Vec::new();
        for (key, value) in members {
            match (key.as_str(), value) {
                ("allOf" | "anyOf" | "oneOf", Value::Array(all)) => {
                    edges.extend(all.iter().map(|inner| (None, inner)));
                }
                ("not" | "if" | "then" | "else", inner) => edges.push((None, inner)),
                ("dependentSchemas" | "dependencies", Value::Object(all)) => {
                    edges.extend(all.values().filter(|inner| inner.is_object()).map(|inner| (None, inner)));
                }
                ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(reference)) => {
                    edges.extend(self.target(schema, reference).map(|inner| (None, inner)));
                }
                ("properties", Value::Object(all)) => {
                    edges.extend(all.iter().map(|(name, inner)| (Some(Into::Member(name)), inner)));
                }
                ("patternProperties", Value::Object(all)) => {
                    edges.extend(all.values().map(|inner| (Some(Into::AnyMember), inner)));
                }
                ("additionalProperties" | "unevaluatedProperties" | "propertyNames", inner) => {
                    edges.push((Some(Into::AnyMember), inner));
                }
                ("items" | "prefixItems", Value::Array(all)) => {
                    edges.extend(all.iter().map(|inner| (Some(Into::Item), inner)));
                }
                ("items" | "additionalItems" | "unevaluatedItems" | "contains", inner) => {
                    edges.push((Some(Into::Item), inner));
                }
                _ => {}
            }
        }
        edges
    }

    fn target(&self, from: &'s Value, reference: &str) -> Option<&'s Value> {
        let resource = *self.resources.get(&address(from))?;
        let (_, place) = reference.split_once('#')?;
        if place.is_empty() || place.starts_with('/') {
            return resource.pointer(place);
        }
        self.anchors.get(&(address(resource), place)).copied()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    /// `count` definitions, each of which refers to the next as `link` says.
    fn chain(count: usize, link: impl Fn(Value) -> Value) -> Value {
        let mut defs = Map::new();
        for n in 0..count {
            defs.insert(format!("d{n}"), link(json!({ "$ref": format!("#/$defs/d{}", n + 1) })));
        }
        defs.insert(format!("d{count}"), json!({ "type": "string" }));
        json!({ "$ref": "#/$defs/d0", "$defs": defs })
    }

    fn nested(levels: usize, wrap: impl Fn(Value) -> Value) -> Value {
        (0..levels).fold(json!(1), |inner, _| wrap(inner))
    }

    #[test]
    fn definitions_that_fan_out_are_refused() {
        for link in [
            |next: Value| json!({ "allOf": [next, next] }),
            |next: Value| json!({ "anyOf": [{ "not": next }, next] }),
            |next: Value| json!({ "items": { "allOf": [next, next] } }),
            |next: Value| json!({ "allOf": [{ "properties": { "a": next } }, { "properties": { "a": next } }] }),
            |next: Value| json!({ "properties": { "a": next }, "patternProperties": { "^a": next } }),
            |next: Value| json!({ "prefixItems": [next], "contains": next }),
        ] {
            assert_eq!(Cost::of(&chain(60, link)), Err(TooComplex::FansOut), "{}", link(json!("next")));
        }
    }

    #[test]
    fn definitions_that_are_used_often_at_different_places_are_allowed() {
        let link = |next: Value| json!({ "properties": { "a": next, "b": next, "c": next } });
        let cost = Cost::of(&chain(60, link)).unwrap();
        assert!(cost.allows(&nested(100, |inner| json!({ "a": inner }))));
        let union = json!({ "$defs": { "text": { "type": "string" } }, "anyOf": vec![json!({ "$ref": "#/$defs/text" }); 1_000] });
        assert!(Cost::of(&union).unwrap().allows(&json!(vec!["text"; 1_000])));
    }

    #[test]
    fn references_that_lead_back_at_the_same_place_are_followed_once() {
        for schema in [
            json!({ "$ref": "#" }),
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "anyOf": [{ "$ref": "#/$defs/a" }, true] } } }),
            json!({ "$anchor": "me", "allOf": [{ "$ref": "#me" }] }),
        ] {
            assert!(Cost::of(&schema).is_ok(), "{schema}");
        }
        let all = json!((0..20).map(|n| json!({ "$ref": format!("#/$defs/d{n}") })).collect::<Vec<_>>());
        let defs: Map<_, _> = (0..20).map(|n| (format!("d{n}"), json!({ "anyOf": all }))).collect();
        assert_eq!(Cost::of(&json!({ "$ref": "#/$defs/d0", "$defs": defs })), Err(TooComplex::Circles));
    }

    #[test]
    fn a_long_chain_of_references_is_refused() {
        assert!(Cost::of(&chain(100, |next| next)).is_ok());
        assert_eq!(Cost::of(&chain(1_000, |next| next)), Err(TooComplex::Chain));
    }

    #[test]
    fn recursion_that_multiplies_is_allowed_as_deep_as_it_stays_small() {
        let back = json!({ "$ref": "#" });
        let doubling = json!({ "allOf": [{ "properties": { "a": back } }, { "properties": { "a": back } }] });
        let cost = Cost::of(&doubling).unwrap();
        assert!(cost.allows(&nested(10, |inner| json!({ "a": inner }))));
        assert!(!cost.allows(&nested(60, |inner| json!({ "a": inner }))));
    }

    #[test]
    fn recursion_that_follows_each_member_once_is_allowed_at_any_depth() {
        let back = json!({ "$ref": "#" });
        for schema in [
            json!({ "properties": { "name": { "type": "string" }, "children": { "items": back } } }),
            json!({ "properties": { "left": back, "right": back } }),
            json!({ "anyOf": [{ "type": "string" }, { "additionalProperties": back }, { "items": back }] }),
        ] {
            let cost = Cost::of(&schema).unwrap();
            for wrap in [
                |inner: Value| json!({ "children": [inner] }),
                |inner: Value| json!({ "left": inner }),
                |inner: Value| json!([inner]),
            ] {
                assert!(cost.allows(&nested(100, wrap)), "{schema}");
            }
        }
    }
}
