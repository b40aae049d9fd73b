//! Labels of runs.

use std::collections::BTreeMap;

use serde_json::json;
use workflow_core::event::EventBody;
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunStore as _};
use workflow_exec::{EngineError, Fork, ForkPoint};

use crate::host::{Host, id};
use crate::secrets::TOKEN;

const ONE: &str = r#"
workflow: { name: One, stages: [plan] }
plan: { provider: ann, prompt: "${vars.a} ${vars.b}" }
"#;

fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn labels_are_stored_with_a_run_and_found_by() {
    let host = Host::new();
    let all = labels(&[("owner", "ann"), ("ticket", "OPS-7")]);
    host.sim.block_on(async {
        let start = host.start("r1", ONE).label("owner", "bob").labels(&all).label("ticket", "OPS-7");
        let view = host.engine.run(start.vars([("a", json!(1)), ("b", json!("x"))])).await.unwrap();
        assert_eq!((&view.labels, view.status), (&all, RunStatus::Completed));
        host.engine.run(host.start("r2", ONE).label("owner", "bob").var("a", 1).var("b", 2)).await.unwrap();
        host.engine.run(host.start("r3", ONE).var("a", 1).var("b", 2)).await.unwrap();
        let found = |filter: RunFilter| {
            let engine = &host.engine;
            async move {
                let list = engine.list(&filter).await.unwrap();
                list.iter().map(|record| record.run_id.to_string()).collect::<Vec<_>>().join(" ")
            }
        };
        assert_eq!(found(RunFilter::all()).await, "r3 r2 r1");
        assert_eq!(found(RunFilter::all().label("owner", "ann")).await, "r1");
        assert_eq!(found(RunFilter::all().label("owner", "ann").label("ticket", "OPS-8")).await, "");
        // After the run has ended they are in its record, its view and its first event.
        assert_eq!(host.store.get(&id("r1")).await.unwrap().head.labels, all);
        assert_eq!(host.engine.handle(&id("r1")).view().await.unwrap().labels, all);
        assert!(host.engine.handle(&id("r3")).view().await.unwrap().labels.is_empty());
    });
    let first = &host.events("r1")[0].body;
    assert!(matches!(first, EventBody::RunCreated(created) if created.labels == all), "{first:?}");
    assert!(host.calls().contains("1 x"), "{}", host.calls());
}

#[test]
fn a_run_with_the_same_id_and_other_labels_is_another() {
    let host = Host::new();
    host.sim.block_on(async {
        let start = || host.start("r1", ONE).vars([("a", 1), ("b", 2)]);
        host.engine.create(start().label("owner", "ann")).await.unwrap();
        host.engine.create(start().label("owner", "ann")).await.unwrap();
        for other in [start(), start().label("owner", "bob"), start().label("owner", "ann").label("x", "")] {
            let error = host.engine.create(other).await.err().unwrap();
            assert!(matches!(&error, EngineError::OtherInputs(run) if *run == id("r1")), "{error}");
            assert!(error.to_string().contains("labels"), "{error}");
        }
    });
}

#[test]
fn a_fork_keeps_the_labels_of_its_run() {
    let host = Host::new();
    host.sim.block_on(async {
        let start = host.start("r1", ONE).vars([("a", 1), ("b", 2)]).label("owner", "ann");
        host.engine.run(start).await.unwrap();
        let fork =
            Fork::of(id("r1")).at(ForkPoint::Stage("plan".parse().unwrap())).var("a", 3).run_id(id("r2"));
        host.engine.fork(fork).await.unwrap();
        let view = host.engine.drive(&id("r2")).await.unwrap();
        assert_eq!((view.labels, view.status), (labels(&[("owner", "ann")]), RunStatus::Completed));
        let filter = RunFilter::all().label("owner", "ann").status(RunStatus::Completed);
        assert_eq!(host.engine.list(&filter).await.unwrap().len(), 2);
    });
}

#[test]
fn labels_that_are_invalid_or_hold_a_secret_are_refused() {
    const SECRET: &str = r#"
workflow: { name: One, stages: [login] }
login: { provider: ann, env: { TOKEN: "${secrets.token}" } }
"#;
    let host = Host::with(|builder| builder.secrets(TOKEN));
    host.sim.block_on(async {
        let start = || host.start("r1", SECRET);
        let many = start().labels((0..33).map(|n| (format!("n{n}"), "")));
        for (start, said) in [
            (
                start().label("the owner", "ann").label("long", "x".repeat(257)),
                "the run cannot start: the value of the label `long` has 257 characters, and at most 256 are allowed; \
                 the label name `the owner` is invalid: use 1 to 64 letters, digits, `-` and `_`",
            ),
            (many, "the run cannot start: there are 33 labels, and at most 32 are allowed"),
        ] {
            let error = host.engine.run(start).await.unwrap_err();
            assert!(matches!(error, EngineError::Labels(_)), "{error:?}");
            assert_eq!(error.to_string(), said);
        }
        for value in ["4711471147114711", "x-4711471147114711", "NDcxMTQ3MTE0NzExNDcxMQ=="] {
            let error = host.engine.run(start().label("ticket", value)).await.unwrap_err();
            assert!(matches!(&error, EngineError::SecretInValue { secret, .. } if secret == "token"), "{error}");
            assert!(error.to_string().starts_with("the label `ticket` holds the secret `token`"), "{error}");
        }
        assert!(host.store.get(&id("r1")).await.is_err(), "there is no run");
    });
}
