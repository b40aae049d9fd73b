//! The names that a role can use during a run.

use std::sync::Arc;

use serde_json::json;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{self, Defaults, Profile, Stage, Workflow};
use workflow_core::ids::StageId;
use workflow_core::plan::Plan;
use workflow_core::status::RunStatus;
use workflow_exec::StartRun;

use crate::host::{Host, id};

/// A stage `plan` that answers `P`, and one with a node `draft` that answers `D` before one with the role.
fn plan(body: &str) -> Arc<Plan> {
    let stage = |reply: &str| Stage::new("ann").option("ann", json!({ "reply": reply }));
    let (first, second) = (StageId::new("plan").unwrap(), StageId::new("code").unwrap());
    let code = Stage { profile: Some("graph".to_owned()), ..stage("D") };
    let workflow = Workflow::new("roles".parse().unwrap(), "Roles").stage(first, stage("P"));
    let workflow = workflow.stage(second.clone(), code);
    let mut bundle = Bundle::new(definition::resolve(&workflow, &Defaults::default()).unwrap());
    let graph = json!([
        { "id": "draft", "type": "run" },
        { "id": "told", "type": "run", "role": "writer", "inputs": ["draft"] },
    ]);
    let profile: Profile = serde_json::from_value(json!({ "graph": graph })).unwrap();
    bundle.profiles.insert(second, profile);
    let text = format!(
        "---\nid: writer\nvariables: [{{ name: xs, type: array }}]\n---\n{body}{{{{#if inputs}}}}{{{{/if}}}}"
    );
    let role = definition::parse_role(text.as_bytes(), None).role.unwrap();
    bundle.roles.insert(role.id.clone(), role);
    Arc::new(Plan::load(bundle).unwrap())
}

#[test]
fn a_role_is_told_all_that_its_text_names() {
    for (body, expected) in [
        ("{{vars.feature}}", "login"),
        ("{{plan}} {{stages.plan.output}} {{stages.plan.status}}", "P P completed"),
        ("{{nodes.draft.output}} {{nodes.draft.status}}", "D completed"),
        ("{{length nodes}} {{length vars}} {{length stages}}", "2 2 1"),
        ("{{#each stages}}{{@key}}={{output}}{{/each}}", "plan=P"),
        ("{{#each xs}}{{this}}-{{../vars.feature}} {{/each}}", "1-login 2-login"),
        ("{{#each xs}}{{@root/vars/feature}} {{/each}}", "login login"),
        ("{{#each xs}}{{#with ../vars}}{{feature}} {{/with}}{{/each}}", "login login"),
        ("{{lookup vars \"feature\"}}", "login"),
        ("{{#with this}}{{vars.feature}} {{plan}}{{/with}}", "login P"),
        ("{{#with nodes as |known|}}{{known.draft.output}}{{/with}}", "D"),
        ("{{run.id}} {{stage.id}} {{iteration}}", "run code 1"),
    ] {
        let host = Host::new();
        let start =
            StartRun::plan(&plan(body)).run_id(id("run")).var("feature", "login").var("xs", vec![1, 2]);
        let view = host.sim.block_on(host.engine.run(start)).unwrap();
        assert_eq!(view.status, RunStatus::Completed, "{body}: {:?}", view.error);
        let calls = host.deeds.calls();
        assert_eq!(calls.last().unwrap().prompt, expected, "{body}");
    }
}
