//! Making a case smaller.

use serde_json::Value;

use super::case::Case;

/// As many smaller cases are tried.
const TRIES: usize = 2_000;

/// The smallest case that can be reached from `case` by leaving something out, one thing after the other, so
/// that it can still be run and still `fails`.
pub fn shrink(case: &Case, fails: impl Fn(&Case) -> bool) -> Case {
    let mut smallest = case.clone();
    // After a change it goes on at the same place, and all places are looked at until nothing changes.
    let (mut at, mut since) = (0, 0);
    let mut json = serde_json::to_value(&smallest).unwrap();
    let mut changes = changes(&json);
    for _ in 0..TRIES {
        if since > changes.len() {
            break;
        }
        let (place, put) = &changes[at % changes.len()];
        let next = changed(&json, place, put.as_ref());
        let next = serde_json::from_value::<Case>(next).ok();
        if let Some(case) = next.filter(|case| case.plan().is_ok() && fails(case)) {
            json = serde_json::to_value(&case).unwrap();
            changes = self::changes(&json);
            (smallest, since) = (case, 0);
        } else {
            (at, since) = (at + 1, since + 1);
        }
    }
    smallest
}

/// What can be left out of `json`, or put in place of something; large things first.
fn changes(json: &Value) -> Vec<(String, Option<Value>)> {
    let mut places = Vec::new();
    visit(json, String::new(), &mut places);
    places.sort_by_key(|place| place.matches('/').count());
    let mut changes = Vec::new();
    for place in places {
        let found = json.pointer(&place).unwrap();
        changes.push((place.clone(), None));
        match found {
            Value::Number(number) if place != "/seed" => {
                let number = number.as_u64().unwrap_or(0);
                let simpler = [0, 1, number / 2].into_iter().filter(|simpler| *simpler < number);
                changes.extend(simpler.map(|simpler| (place.clone(), Some(simpler.into()))));
            }
            // The body of a `foreach`, once, in place of it.
            Value::Object(node) if node.get("run").is_some_and(Value::is_object) => {
                let mut body = node["run"].clone();
                for name in ["id", "out", "set"] {
                    if let Some(value) = node.get(name) {
                        body[name] = value.clone();
                    }
                }
                changes.push((place, Some(body)));
            }
            _ => {}
        }
    }
    changes
}

fn changed(json: &Value, place: &str, put: Option<&Value>) -> Value {
    let mut json = json.clone();
    if let Some(value) = put {
        *json.pointer_mut(place).unwrap() = value.clone();
        return json;
    }
    let (parent, last) = place.rsplit_once('/').unwrap();
    match json.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.shift_remove(&last.replace("~1", "/"))),
        Value::Array(elements) => drop(elements.remove(last.parse().unwrap())),
        _ => {}
    }
    json
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
