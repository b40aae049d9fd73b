//! Providers in place of those that a definition names.

use serde_json::json;
use workflow_core::bundle::ProviderMap;
use workflow_core::ids::StageId;
use workflow_core::status::RunStatus;
use workflow_exec::{EngineError, Fork, ForkPoint};

use crate::host::{Host, id};

/// Literal names, one that an expression results in, and a stage whose options are for its provider.
const THREE: &str = "
workflow: { name: Three, stages: [plan, code, both] }
plan: { provider: ann, prompt: p, with: { ann: { reply: as written } } }
code: { provider: '${vars.who}', prompt: c }
both: { prompt: b, providers: [{ provider: ann }, { provider: bob }], with: { bob: { reply: kept } } }
";

fn map(names: &[(&str, &str)]) -> ProviderMap {
    names.iter().copied().collect()
}

/// `stage[lane] provider`, in the order of the calls.
fn called(host: &Host, run: &str) -> Vec<String> {
    let calls = host.deeds.calls().into_iter().filter(|call| call.id.run == id(run));
    let mut calls: Vec<_> = calls
        .map(|call| format!("{}[{}] {}", call.id.path.stage, call.id.path.lane, call.provider))
        .collect();
    calls.sort();
    calls
}

#[test]
fn each_name_is_replaced_once_also_one_that_an_expression_results_in() {
    // The names, and the providers of both lanes of `both`, of `code` and of `plan`.
    type Case = (&'static str, &'static [(&'static str, &'static str)], [&'static str; 4]);
    let cases: [Case; 6] = [
        ("none", &[], ["ann", "bob", "cid", "ann"]),
        ("one", &[("ann", "dot")], ["dot", "bob", "cid", "dot"]),
        ("swap", &[("ann", "bob"), ("bob", "ann")], ["bob", "ann", "cid", "bob"]),
        ("expression", &[("cid", "dot")], ["ann", "bob", "dot", "ann"]),
        ("all", &[("*", "dot")], ["dot", "dot", "dot", "dot"]),
        ("others", &[("*", "dot"), ("cid", "cid")], ["dot", "dot", "cid", "dot"]),
    ];
    let host = Host::new();
    for (run, names, [first, second, code, plan]) in cases {
        let start = host.start(run, THREE).var("who", "cid").providers(map(names));
        let view = host.sim.block_on(host.engine.run(start)).unwrap();
        assert_eq!(view.status, RunStatus::Completed, "{run}");
        let expected = [
            format!("both[0] {first}"),
            format!("both[1] {second}"),
            format!("code[0] {code}"),
            format!("plan[0] {plan}"),
        ];
        assert_eq!(called(&host, run), expected, "{run}");
        let output = |stage: &str| {
            view.context.stages[&stage.parse::<StageId>().unwrap()].output.as_ref().unwrap().value()
        };
        // The options of a provider that was replaced are left out, and those of others are kept.
        let plan = if plan == "ann" { json!("as written") } else { json!(format!("{plan}(p)")) };
        assert_eq!(output("plan"), plan, "{run}");
    }
}

#[test]
fn a_name_that_is_not_known_is_an_error_that_tells_the_known_ones() {
    let host = Host::new();
    for (names, expected) in [
        (&[("ann", "dott")][..], "`dott`; did you mean `dot`?"),
        (&[("*", "nobody")], "registered: ann, bob, cid, command, demo, dot"),
        (&[("an", "dot")], "the workflow uses: ann, bob"),
    ] {
        let start = host.start("r1", THREE).var("who", "cid").providers(map(names));
        let error = host.sim.block_on(host.engine.create(start)).err().unwrap();
        assert!(matches!(error, EngineError::Invalid(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_fork_has_the_providers_of_its_run_and_replaces_those() {
    let host = Host::new();
    host.sim.block_on(async {
        let start = host.start("first", THREE).var("who", "cid").providers(map(&[("ann", "dot")]));
        host.engine.run(start).await.unwrap();
        for (run, names) in
            [("same", &[][..]), ("other", &[("dot", "bob")]), ("named", &[("ann", "cid"), ("cid", "ann")])]
        {
            let fork = Fork::of(id("first")).at(ForkPoint::Start).run_id(id(run)).providers(map(names));
            host.engine.fork(fork).await.unwrap();
            host.engine.drive(&id(run)).await.unwrap();
        }
        // Also with a newer definition.
        let newer = host.engine.parse(&THREE.replace("prompt: p", "prompt: q"), "test").unwrap();
        let fork = Fork::of(id("other")).run_id(id("newer")).definition(&newer);
        host.engine.fork(fork).await.unwrap();
        host.engine.drive(&id("newer")).await.unwrap();
    });
    assert_eq!(called(&host, "same"), ["both[0] dot", "both[1] bob", "code[0] cid", "plan[0] dot"]);
    assert_eq!(called(&host, "other"), ["both[0] bob", "both[1] bob", "code[0] cid", "plan[0] bob"]);
    // `ann` was replaced by `dot` already.
    assert_eq!(called(&host, "named"), ["both[0] dot", "both[1] bob", "code[0] ann", "plan[0] dot"]);
    assert_eq!(called(&host, "newer"), called(&host, "other"));
}
