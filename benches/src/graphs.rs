//! One stage with a graph of nodes.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use serde_json::Value;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{
    Defaults, ForeachNode, GraphNode, Mode, Node, Profile, RunNode, Stage, Workflow, resolve,
};
use workflow_core::ids::StageId;
use workflow_core::plan::Plan;
use workflow_core::status::RunStatus;
use workflow_exec::{Engine, StartRun};

use crate::concurrent;
use crate::measure::{Effort, Result, Times, busy, repeat};
use crate::table::Row;
use crate::work::{Bare, NoOp, PROVIDER, chain, engine, fan_out};

/// Nodes of one repetition: small graphs are run several times.
const NODES: usize = 20_000;
/// Nodes per layer, and how many nodes of the previous layer are inputs of each.
const LAYER: usize = 100;
const INPUTS: usize = 4;
/// The maximum number of nodes or items that a graph runs in parallel.
const MOST: u32 = 1_000;
/// Parallel items.
pub(crate) const CONCURRENCY: u32 = 64;

/// The shape of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each node uses the output of the previous one.
    Chain,
    /// No node depends on another.
    Wide,
    /// Nodes in layers.
    Layers,
    /// One node, with items.
    Foreach,
    /// The same with a condition for each item.
    Filtered,
}

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut add = |what: String, shape, nodes| -> Result<Times> {
        let [compiled, ran, floor] = measure(shape, nodes, effort)?;
        rows.push(Row::times(what, ran, Some(floor)));
        if !matches!(shape, Shape::Foreach | Shape::Filtered) {
            rows.push(Row::times("  compiling the plan", compiled, None));
        }
        Ok(ran)
    };
    let few = add("graph, 1,000 nodes in a row, per node".into(), Shape::Chain, 1_000)?;
    let many = add("graph, 10,000 nodes in a row, per node".into(), Shape::Chain, 10_000)?;
    add("graph, 1,000 nodes side by side, per node".into(), Shape::Wide, 1_000)?;
    let layers = format!("graph, 10 layers of {LAYER} nodes, {INPUTS} inputs each, per node");
    add(layers, Shape::Layers, 10 * LAYER)?;
    let few_items = add("foreach, 1,000 items, per item".into(), Shape::Foreach, 1_000)?;
    let many_items = add("foreach, 10,000 items, per item".into(), Shape::Foreach, 10_000)?;
    let few_tests = add("foreach with a condition, 1,000 items, per item".into(), Shape::Filtered, 1_000)?;
    let many_tests = add("foreach with a condition, 10,000 items, per item".into(), Shape::Filtered, 10_000)?;
    let growths = [
        ("nodes in a row", few, many),
        ("foreach", few_items, many_items),
        ("foreach with a condition", few_tests, many_tests),
    ];
    for (what, few, many) in growths {
        let growth = many.median / few.median;
        rows.push(Row::figure(format!("  {what}, t(10,000) / t(1,000)"), format!("{growth:.2}")));
    }
    Ok(rows)
}

/// Measures compiling, running, and the bare calls.
fn measure(shape: Shape, nodes: usize, effort: Effort) -> Result<[Times; 3]> {
    let runs = (effort.amount(NODES) / nodes).max(1);
    let bare = Bare::new(NoOp)?;
    let bundle = bundle(shape.profile(nodes)?)?;
    let start = |plan: &Arc<Plan>| shape.start(plan, nodes);
    repeat(effort.repetitions(), runs * nodes, || {
        let (called, floor) = busy(|| {
            block_on(async {
                for _ in 0..runs {
                    match shape {
                        Shape::Chain => bare.in_a_row(nodes).await?,
                        _ => bare.side_by_side(nodes).await?,
                    }
                }
                Result::Ok(())
            })
        });
        called?;
        let engine = engine(NoOp)?;
        let (mut compiling, mut running) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..runs {
            let (plan, time) = busy(|| Plan::load(bundle.clone()));
            let start = start(&Arc::new(plan?));
            compiling += time;
            let (ended, time) = busy(|| run(&engine, start));
            ended?;
            running += time;
        }
        Ok([compiling, running, floor])
    })
}

fn run(engine: &Engine, start: StartRun) -> Result<()> {
    let view = block_on(engine.run(start))?;
    assert_eq!(view.status, RunStatus::Completed);
    Ok(())
}

/// One run of a shape, for profilers that count instructions.
pub(crate) fn once(what: &str, size: usize) -> Result<String> {
    let engine = engine(NoOp)?;
    let shape = match what {
        "stages" => {
            return run(&engine, StartRun::plan(&engine.prepare(&chain(size)?)?)).map(|()| "\n".into());
        }
        "lanes" => {
            return run(&engine, StartRun::plan(&engine.prepare(&fan_out(size)?)?)).map(|()| "\n".into());
        }
        "concurrent" => return concurrent::once(size).map(|()| "\n".into()),
        "chain" => Shape::Chain,
        "wide" => Shape::Wide,
        "layers" => Shape::Layers,
        "foreach" => Shape::Foreach,
        "filtered" => Shape::Filtered,
        _ => return Err(format!("unknown shape `{what}`").into()),
    };
    let plan = Arc::new(Plan::load(bundle(shape.profile(size)?)?)?);
    run(&engine, shape.start(&plan, size))?;
    Ok("\n".to_owned())
}

impl Shape {
    pub(crate) fn profile(self, nodes: usize) -> Result<Profile> {
        let graph = match self {
            Self::Chain => {
                (0..nodes).map(|n| node(n, n.checked_sub(1).into_iter())).collect::<Result<_>>()?
            }
            Self::Wide => (0..nodes).map(|n| node(n, [].into_iter())).collect::<Result<_>>()?,
            Self::Layers => {
                let before = |n: usize| {
                    let first = (n / LAYER).checked_sub(1).map(|layer| layer * LAYER);
                    (0..INPUTS).filter_map(move |input| Some(first? + (n + input) % LAYER))
                };
                (0..nodes).map(|n| node(n, before(n))).collect::<Result<_>>()?
            }
            Self::Foreach | Self::Filtered => {
                let when = (self == Self::Filtered).then(|| "$.item != ''".to_owned());
                let run = RunNode { prompt: Some("${item}".to_owned()), when, ..RunNode::default() };
                let node = Node::Foreach(ForeachNode {
                    items: "${vars.items}".into(),
                    mode: Some(Mode::Parallel),
                    concurrency: Some(CONCURRENCY),
                    when: None,
                    run: Box::new(Node::Run(Box::new(run))),
                });
                vec![GraphNode::new("each".parse()?, node)]
            }
        };
        Ok(Profile { graph, concurrency: Some(MOST), ..Profile::default() })
    }

    pub(crate) fn start(self, plan: &Arc<Plan>, items: usize) -> StartRun {
        let start = StartRun::plan(plan);
        if !matches!(self, Self::Foreach | Self::Filtered) {
            return start;
        }
        start.var("items", (0..items).map(|n| Value::from(format!("item-{n}"))).collect::<Vec<_>>())
    }
}

fn node(number: usize, inputs: impl Iterator<Item = usize>) -> Result<GraphNode> {
    let inputs = inputs.map(|n| Value::from(format!("node-{n}"))).collect();
    let id = format!("node-{number}").parse()?;
    Ok(GraphNode::new(id, Node::Run(Box::new(RunNode { inputs, ..RunNode::default() }))))
}

/// A workflow with one stage that has that graph.
pub(crate) fn bundle(profile: Profile) -> Result<Arc<Bundle>> {
    let stage = Stage { profile: Some("graph".to_owned()), ..Stage::new(PROVIDER) };
    let id: StageId = "stage".parse()?;
    let workflow = Workflow::new("graph".parse()?, "A stage with a graph").stage(id.clone(), stage);
    let mut bundle = Bundle::new(resolve(&workflow, &Defaults::default())?);
    bundle.profiles.insert(id, profile);
    Ok(Arc::new(bundle))
}
