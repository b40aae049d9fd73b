//! A schema with all that it refers to in one.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::references::{DEEPEST, file, is_data};

/// The file `name` with all other files under its `$defs`, by their names. Every `$ref` is a place in this
/// one schema, so that its reader needs neither files nor a base for their names.
pub(super) fn whole(name: &str, files: &BTreeMap<String, Value>) -> Value {
    let mut others = Map::new();
    for (other, schema) in files.iter().filter(|(other, _)| *other != name) {
        let mut schema = schema.clone();
        if let Value::Object(members) = &mut schema {
            // It is that of the whole.
            members.shift_remove("$schema");
        }
        point_inside(&mut schema, other, name, DEEPEST);
        others.insert(other.clone(), schema);
    }
    let mut whole = files.get(name).cloned().unwrap_or_default();
    point_inside(&mut whole, name, name, DEEPEST);
    if let Value::Object(members) = &mut whole
        && !others.is_empty()
        && let Value::Object(defs) = members.entry("$defs").or_insert_with(|| Map::new().into())
    {
        defs.extend(others);
    }
    whole
}

/// Makes the references of a schema that stood in the file `here` places in that of the file `root`.
fn point_inside(schema: &mut Value, here: &str, root: &str, deeper: usize) {
    let Some(deeper) = deeper.checked_sub(1) else { return };
    match schema {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(reference) if key == "$ref" => {
                        // Those that lead out were refused before.
                        let Ok(target) = file(here, reference) else { continue };
                        let target = target.as_deref().unwrap_or(here);
                        let place = reference.split_once('#').map_or("", |(_, place)| place);
                        let file = if target == root || is_anchor(place) {
                            String::new()
                        } else {
                            format!("/$defs/{}", target.replace('~', "~0").replace('/', "~1"))
                        };
                        *reference = format!("#{file}{place}");
                    }
                    _ if is_data(key) => {}
                    value => point_inside(value, here, root, deeper),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| point_inside(item, here, root, deeper)),
        _ => {}
    }
}

/// Whether it is a name that the target gives itself, which is known in all of a schema.
fn is_anchor(place: &str) -> bool {
    !place.is_empty() && !place.starts_with('/')
}
