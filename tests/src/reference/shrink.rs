//! Shrinks a case.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The smallest case that can be reached from `case` by removing one thing after the other, while it still
/// `fails`, and can still be run: as it is, or as `fails` returns it. At most `tries` cases are tried.
pub fn shrink<Case: Clone + Serialize + DeserializeOwned>(
    case: &Case,
    tries: usize,
    fails: impl Fn(Case) -> Option<Case>,
) -> Case {
    let mut smallest = case.clone();
    // After a change it continues at the same place, until no place can be changed.
    let (mut at, mut since) = (0, 0);
    let mut json = serde_json::to_value(&smallest).unwrap();
    let mut changes = changes(&json);
    for _ in 0..tries {
        if since > changes.len() {
            break;
        }
        let (place, put) = &changes[at % changes.len()];
        let next = changed(&json, place, put.as_ref());
        // A removed value may reappear as a default: then the case is not smaller.
        let next = serde_json::from_value::<Case>(next).ok();
        let next = next.filter(|case| serde_json::to_value(case).unwrap() != json);
        if let Some(case) = next.and_then(&fails) {
            json = serde_json::to_value(&case).unwrap();
            changes = self::changes(&json);
            (smallest, since) = (case, 0);
        } else {
            (at, since) = (at + 1, since + 1);
        }
    }
    smallest
}

/// What can be removed from `json`, or replaced; large things first.
fn changes(json: &Value) -> Vec<(String, Option<Value>)> {
    let mut places = Vec::new();
    visit(json, String::new(), &mut places);
    places.sort_by_key(|place| place.matches('/').count());
    let mut changes = Vec::new();
    for place in places {
        let found = json.pointer(&place).unwrap();
        changes.push((place.clone(), None));
        match found {
            Value::Number(number) if !place.ends_with("/seed") => {
                let number = number.as_u64().unwrap_or(0);
                let simpler = [0, 1, number / 2].into_iter().filter(|simpler| *simpler < number);
                changes.extend(simpler.map(|simpler| (place.clone(), Some(simpler.into()))));
            }
            // Replaces a `foreach` by its body, once.
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

/// The JSON Pointers of everything in `json`.
fn visit(json: &Value, place: String, places: &mut Vec<String>) {
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                let place = format!("{place}/{}", name.replace('/', "~1"));
                // What nodes run is removed whole: the interpreter knows these workflows, and no others.
                if name == "workflows" {
                    places.push(place);
                } else {
                    visit(value, place, places);
                }
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
