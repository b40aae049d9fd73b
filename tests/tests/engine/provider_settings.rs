//! `config/providers.yml` of a home: what calls get of it, what is checked, and what a run replaces.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_core::bundle::ProviderMap;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_core::status::RunStatus;
use workflow_core::view::RunView;
use workflow_exec::{Engine, Fork, StartRun};
use workflow_store::{Folders, FsCatalog};

use crate::host::folder_with;

/// What providers were called with: their names, and the options of the calls.
type Calls = Arc<Mutex<Vec<Value>>>;

/// Takes the options `model` and `effort`.
struct Agent(&'static str, Calls);

#[async_trait]
impl Provider for Agent {
    fn check_options(&self, options: &Value) -> Result<(), String> {
        let wrong =
            options.as_object().into_iter().flatten().find(|(key, _)| !matches!(&***key, "model" | "effort"));
        wrong.map_or(Ok(()), |(key, _)| Err(format!("there is no option `{key}`")))
    }

    async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        self.1.lock().unwrap().push(json!([self.0, request.options]));
        Ok(Reply::text("done"))
    }
}

struct Home {
    folder: tempfile::TempDir,
    engine: Engine,
    calls: Calls,
}

const SETTINGS: &str = "providers:
  fast: { provider: claude-code, with: { model: haiku } }
  codex: { with: { effort: low } }
";

impl Home {
    fn new(flow: &str, more: &[(&str, &str)]) -> Self {
        Self::with(SETTINGS, flow, more)
    }

    fn with(settings: &str, flow: &str, more: &[(&str, &str)]) -> Self {
        let files = [("config/providers.yml", settings), ("workflows/flow.workflow.yml", flow)];
        let folder = folder_with(&[&files, more].concat());
        let calls = Calls::default();
        let mut engine = Engine::builder();
        for name in ["claude-code", "codex", "demo"] {
            engine = engine.provider(name, Agent(name, calls.clone()));
        }
        let catalog = FsCatalog::with_folders(folder.path(), Folders::default()).unwrap();
        Self { folder, engine: engine.catalog(catalog).build().unwrap(), calls }
    }

    fn start(map: &[(&str, &str)]) -> StartRun {
        let mut start = StartRun::workflow("flow".parse().unwrap());
        start.providers = map.iter().copied().collect();
        start
    }

    /// Runs it, and returns what was called.
    fn run(&self, start: StartRun) -> (RunView, Vec<Value>) {
        let view = block_on(self.engine.run(start)).unwrap();
        assert_eq!(view.status, RunStatus::Completed, "{:?}", view.error);
        (view, std::mem::take(&mut self.calls.lock().unwrap()))
    }

    fn said(&self, text: &str) -> Vec<String> {
        let checked = block_on(self.engine.check(text.as_bytes(), Some(&"flow".parse().unwrap()))).unwrap();
        let home = format!("{}/", self.folder.path().display());
        checked.diagnostics.iter().map(|found| found.to_string().replace(&home, "")).collect()
    }
}

const FLOW: &str = "workflow: { name: Flow, stages: [plan, code] }
plan: { provider: fast, with: { effort: high } }
code: { provider: claude-code, with: { model: opus } }
";

#[test]
fn a_call_has_the_options_of_the_home_and_the_replaced_provider_those_of_its_own() {
    let home = Home::new(FLOW, &[]);
    let (view, calls) = home.run(Home::start(&[]));
    assert_eq!(
        calls,
        [
            json!(["claude-code", { "model": "haiku", "effort": "high" }]),
            json!(["claude-code", { "model": "opus" }])
        ]
    );
    let codex = json!(["codex", { "effort": "low" }]);
    let (_, calls) = home.run(Home::start(&[("claude-code", "codex")]));
    assert_eq!(calls, [codex.clone(), codex.clone()]);
    let (_, calls) = home.run(Home::start(&[("*", "fast")]));
    assert_eq!(
        calls,
        [
            // It has this provider already.
            json!(["claude-code", { "model": "haiku", "effort": "high" }]),
            json!(["claude-code", { "model": "haiku" }]),
        ]
    );
    let (_, calls) = home.run(Home::start(&[("fast", "codex"), ("claude-code", "demo")]));
    assert_eq!(calls, [codex, json!(["demo", null])]);
    // A fork that replaces a provider by a name of the home.
    let mut fork = Fork::of(view.run_id);
    fork.providers = ProviderMap::from_iter([("claude-code", "fast")]);
    let handle = block_on(self::fork(&home, fork));
    assert_eq!(handle.status, RunStatus::Completed);
    // The options of the stage were for the provider that was replaced.
    assert_eq!(home.calls.lock().unwrap()[0], json!(["claude-code", { "model": "haiku" }]));
}

async fn fork(home: &Home, fork: Fork) -> RunView {
    let run = home.engine.fork(fork).await.unwrap();
    home.engine.drive(run.id()).await.unwrap()
}

#[test]
fn a_provider_that_an_expression_names_has_its_options_too() {
    let profile = "graph:
  - id: each
    type: foreach
    items: [fast, codex, demo]
    mode: sequential
    run: { type: run, provider: '${item}', with: { effort: high } }
";
    let flow = "workflow: { name: Flow, stages: [plan, code] }
plan: { provider: demo }
code: { provider: '${vars.agent}' }
";
    let home = Home::new(flow, &[("workflows/stages/plan.simple.yml", profile)]);
    let (_, calls) = home.run(Home::start(&[]).var("agent", "fast"));
    assert_eq!(
        calls,
        [
            json!(["claude-code", { "model": "haiku", "effort": "high" }]),
            json!(["codex", { "effort": "high" }]),
            json!(["demo", { "effort": "high" }]),
            json!(["claude-code", { "model": "haiku" }]),
        ]
    );
    let (_, calls) = home.run(Home::start(&[("claude-code", "demo")]).var("agent", "fast"));
    assert_eq!(calls[0], json!(["demo", { "effort": "high" }]));
    assert_eq!(calls[3], json!(["demo", null]));
}

#[test]
fn what_is_wrong_is_reported_in_the_file_that_says_it() {
    let home = Home::new(FLOW, &[]);
    assert_eq!(home.said(FLOW), [""; 0]);
    assert_eq!(
        home.said(&FLOW.replace("fast", "fsat")),
        [
            "2:19: error[unknown-provider]: no provider is registered as `fsat`; did you mean `fast`? (registered: \
          claude-code, codex, demo)"
        ]
    );
    assert_eq!(
        home.said(&FLOW.replace("effort: high", "efort: high")),
        [
            "2:25: error[bad-options]: there is no option `efort` (with the options of `fast` in `config/providers.yml`)"
        ]
    );
    let settings = "providers:\n  fast: { provider: claude-cod, with: { model: haiku } }\n  codex: { with: { modle: x } }\n";
    let home = Home::with(settings, FLOW, &[]);
    let flow =
        FLOW.replace("code: { provider: claude-code, with: { model: opus } }", "code: { provider: codex }");
    assert_eq!(
        home.said(&flow),
        [
            "config/providers.yml:2:21: error[unknown-provider]: no provider is registered as `claude-cod`; did you mean \
             `claude-code`? (registered: claude-code, codex, demo)",
            "config/providers.yml:3:12: error[bad-options]: there is no option `modle` (with the options of `codex` in \
             `config/providers.yml`)",
        ]
    );
    let home = Home::with("providers: { fast: { provider: 5 } }\n", FLOW, &[]);
    let said = home.said(FLOW);
    assert!(said[0].starts_with("config/providers.yml:1:32: error[wrong-type]"), "{said:?}");
}
