//! Making a case smaller.

use serde_json::Value;

use super::case::Case;

/// As many smaller cases are tried.
const TRIES: usize = 3_000;

/// The smallest case that can be reached from `case` by leaving something out, one thing after the other, so
/// that it can still be run and still `fails`.
pub fn shrink(case: &Case, fails: impl Fn(&Case) -> bool) -> Case {
    let mut smallest = case.clone();
    // After a change it goes on at the same place, and all places are looked at until nothing changes.
    let (mut at, mut since) = (0, 0);
    for _ in 0..TRIES {
        let all = smaller(&serde_json::to_value(&smallest).unwrap());
        if since > all.len() {
            break;
        }
        let next = all.into_iter().cycle().nth(at).and_then(|json| serde_json::from_value::<Case>(json).ok());
        match next.filter(|case| case.plan().is_ok() && fails(case)) {
            Some(case) => (smallest, since) = (case, 0),
            None => (at, since) = (at + 1, since + 1),
        }
    }
    smallest
}

/// `json` with one thing less each, or with one thing that is simpler; large things first.
fn smaller(json: &Value) -> Vec<Value> {
    let mut places = Vec::new();
    visit(json, String::new(), &mut places);
    places.sort_by_key(|place| place.matches('/').count());
    let mut found = Vec::new();
    for place in places {
        let (parent, last) = place.rsplit_once('/').unwrap();
        let mut without = json.clone();
        match without.pointer_mut(parent).unwrap() {
            Value::Object(members) => drop(members.shift_remove(&last.replace("~1", "/"))),
            Value::Array(elements) => drop(elements.remove(last.parse().unwrap())),
            _ => {}
        }
        found.push(without);
        let mut put = |value: Value| {
            let mut changed = json.clone();
            *changed.pointer_mut(&place).unwrap() = value;
            found.push(changed);
        };
        match json.pointer(&place).unwrap() {
            Value::Number(number) if last != "seed" => {
                let number = number.as_u64().unwrap_or(0);
                let simpler = [0, 1, number / 2].into_iter().filter(|simpler| *simpler < number);
                simpler.for_each(|simpler| put(simpler.into()));
            }
            // The body of a `foreach`, once, in place of it.
            Value::Object(node) if node.get("run").is_some_and(Value::is_object) => {
                let mut body = node["run"].clone();
                for name in ["id", "out", "set"] {
                    if let Some(value) = node.get(name) {
                        body[name] = value.clone();
                    }
                }
                put(body);
            }
            _ => {}
        }
    }
    found
}

/// The JSON Pointers of all that is in `json`.
fn visit(json: &Value, place: String, places: &mut Vec<String>) {
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                visit(value, format!("{place}/{}", name.replace('/', "~1")), places);
            }
        }
        Value::Array(elements) => {
            for (n, value) in elements.iter().enumerate() {
                visit(value, format!("{place}/{n}"), places);
            }
        }
        _ => {}
    }
    if !place.is_empty() {
        places.push(place);
    }
}
