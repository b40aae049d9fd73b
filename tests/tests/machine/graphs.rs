//! Random graphs.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use workflow_core::definition::Profile;

/// The conditions of nodes, with the id of an earlier node for `N`.
const CONDITIONS: [&str; 7] = [
    "$.nodes.N.output.done == true",
    "$.nodes.N.status == 'completed'",
    "$.nodes.N.status == 'skipped' || $.vars.flag == true",
    "$.vars.flag != true",
    "$.iteration > 1",
    "$.item == 1",
    "$.item.done == true || $.item == 2",
];

const LISTS: [&str; 4] = ["[1, 2, 3]", "[]", r#"[{"done":true},[1,2],2]"#, "[[1],[2,3],[]]"];

const STRATEGIES: [&str; 6] = ["concat", "merge", "first", "last", "vote", "summarize"];

/// The schema that calls and exports may have.
pub(crate) const SCHEMA: &str = "done.json";

/// A profile of one to six nodes. Each names only nodes before it, and branches name those after them.
pub(crate) fn profiles() -> impl Strategy<Value = Profile> {
    let nodes = prop::collection::vec(nodes(), 1..=6);
    let concurrency = prop::option::weighted(0.5, 1..=3u32);
    (nodes, concurrency, any::<bool>()).prop_map(|(nodes, concurrency, reversed)| {
        let count = nodes.len();
        let mut graph: Vec<_> = nodes.iter().enumerate().map(|(n, node)| node.write(n, count)).collect();
        if reversed {
            graph.reverse();
        }
        serde_json::from_value(json!({ "concurrency": concurrency, "graph": graph })).unwrap()
    })
}

#[derive(Debug, Clone)]
struct Node {
    kind: Kind,
    /// Random other nodes.
    others: Vec<Index>,
    when: Option<&'static str>,
    set: Option<&'static str>,
    out: bool,
}

#[derive(Debug, Clone)]
enum Kind {
    Run {
        provider: Option<&'static str>,
        role: Option<&'static str>,
        json: bool,
        schema: bool,
        approval: bool,
        budget: bool,
    },
    Foreach {
        items: Option<&'static str>,
        concurrency: Option<u32>,
        body: Box<Node>,
    },
    Reduce {
        strategy: &'static str,
    },
    Branch {
        arms: Vec<&'static str>,
    },
    Export {
        schema: bool,
    },
    Ask {
        choices: bool,
        schema: bool,
    },
}

fn nodes() -> impl Strategy<Value = Node> {
    let whole =
        (kinds(), prop::option::weighted(0.3, select(vec!["${output.flag:-false}", "${output.flag}"])));
    (whole, parts()).prop_map(|((kind, set), (others, when, out))| Node { kind, others, when, set, out })
}

fn parts() -> impl Strategy<Value = (Vec<Index>, Option<&'static str>, bool)> {
    let others = prop::collection::vec(any::<Index>(), 0..=3);
    (others, prop::option::weighted(0.25, select(&CONDITIONS[..])), prop::bool::weighted(0.2))
}

fn kinds() -> impl Strategy<Value = Kind> {
    let simple = prop_oneof![
        4 => runs(),
        2 => select(&STRATEGIES[..]).prop_map(|strategy| Kind::Reduce { strategy }),
        2 => prop::collection::vec(select(&CONDITIONS[..]), 1..=2).prop_map(|arms| Kind::Branch { arms }),
        2 => any::<bool>().prop_map(|schema| Kind::Export { schema }),
        1 => any::<(bool, bool)>().prop_map(|(choices, schema)| Kind::Ask { choices, schema }),
    ];
    simple.prop_recursive(2, 4, 1, |inner| {
        let body = (inner, parts()).prop_map(|(kind, (others, when, _))| Node {
            kind,
            others,
            when,
            set: None,
            out: false,
        });
        let items = prop::option::weighted(0.6, select(&LISTS[..]));
        (items, prop::option::weighted(0.7, 1..=3u32), body)
            .prop_map(|(items, concurrency, body)| Kind::Foreach { items, concurrency, body: Box::new(body) })
    })
}

fn runs() -> impl Strategy<Value = Kind> {
    let provider = prop::option::weighted(0.2, select(vec!["q", "${vars.p}", "${vars.unknown}"]));
    let role = prop::option::weighted(0.2, select(vec!["free", "strict", "${vars.unknown}"]));
    let form = (prop::bool::weighted(0.2), prop::bool::weighted(0.2), prop::bool::weighted(0.1));
    let budget = prop::bool::weighted(0.1);
    (provider, role, form, budget).prop_map(|(provider, role, (json, schema, approval), budget)| Kind::Run {
        provider,
        role,
        json,
        schema,
        approval,
        budget,
    })
}

impl Node {
    /// The node at place `number` of `count`.
    fn write(&self, number: usize, count: usize) -> Value {
        let mut node = self.what(number, count, false);
        node["id"] = json!(id(number));
        if self.out {
            node["out"] = json!(format!("out{number}"));
        }
        if let Some(set) = self.set {
            node["set"] = json!({ "flag": set });
        }
        node
    }

    fn what(&self, number: usize, count: usize, in_body: bool) -> Value {
        let mut before: Vec<_> =
            self.others.iter().filter(|_| number > 0).map(|other| id(other.index(number))).collect();
        if in_body {
            before.push("item".to_owned());
        }
        let known = before.first().filter(|name| *name != "item").cloned();
        let condition = |text: &str| match &known {
            _ if text.contains("$.item") && !in_body => "$.vars.flag == true".to_owned(),
            None if text.contains(".N.") => "$.iteration == 1".to_owned(),
            known => text.replace(".N.", &format!(".{}.", known.as_deref().unwrap_or_default())),
        };
        let mut node = match &self.kind {
            Kind::Run { provider, role, json, schema, approval, budget } => {
                let mut node = json!({ "type": "run", "inputs": before });
                let provider = provider.map(|provider| json!(provider));
                let members = [
                    ("provider", provider),
                    ("role", role.map(|role| json!(role))),
                    ("output", json.then(|| json!("json"))),
                    ("output_schema", schema.then(|| json!(SCHEMA))),
                    ("repairs", schema.then(|| json!(1))),
                    ("approval", approval.then(|| json!("Shall it?"))),
                    ("budget", budget.then(|| json!({ "cost_usd": 0.5, "tokens": 120 }))),
                ];
                for (name, value) in members {
                    if let Some(value) = value {
                        node[name] = value;
                    }
                }
                node
            }
            Kind::Foreach { items, concurrency, body } => {
                let list = || serde_json::from_str(items.unwrap_or(LISTS[0])).unwrap();
                let items = if items.is_some() {
                    list()
                } else {
                    before.last().map_or_else(list, |name| json!(name))
                };
                let mode = if concurrency.is_some() { "parallel" } else { "sequential" };
                let body = body.what(number, count, true);
                let mut node = json!({ "type": "foreach", "items": items, "mode": mode, "run": body });
                if let Some(concurrency) = concurrency {
                    node["concurrency"] = json!(concurrency);
                }
                node
            }
            Kind::Ask { choices, schema } => {
                let mut node = json!({ "type": "ask", "question": "Which?" });
                if *choices {
                    node["choices"] = json!([1, { "done": true }, "three"]);
                } else if *schema {
                    node["output_schema"] = json!(SCHEMA);
                }
                node
            }
            Kind::Reduce { .. } | Kind::Export { .. } if before.is_empty() => json!({ "type": "run" }),
            Kind::Reduce { strategy } => json!({ "type": "reduce", "from": before, "strategy": strategy }),
            Kind::Export { schema } => {
                let mut node = json!({ "type": "export", "from": before[0] });
                if *schema {
                    node["output_schema"] = json!(SCHEMA);
                }
                node
            }
            Kind::Branch { arms } => {
                let after = count - number - 1;
                if after == 0 && !in_body {
                    return json!({ "type": "run" });
                }
                let then = |arm: usize| {
                    if in_body { format!("arm{arm}") } else { id(number + 1 + arm % after) }
                };
                let arms = arms.iter().enumerate();
                let arms = arms.map(|(arm, text)| json!({ "condition": condition(text), "then": then(arm) }));
                json!({ "type": "branch", "when": arms.collect::<Vec<_>>() })
            }
        };
        if let Some(when) = self.when.filter(|_| node["type"] != "branch") {
            node["when"] = json!(condition(when));
        }
        node
    }
}

fn id(number: usize) -> String {
    format!("n{number}")
}
