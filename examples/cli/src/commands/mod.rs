//! The commands, a module each.

mod answer;
mod compare;
pub(crate) mod control;
mod definitions;
mod delete;
mod diff;
mod doctor;
mod drive;
mod dry_run;
mod edit;
mod events;
mod fork;
mod graph;
mod inbox;
mod init;
mod library;
mod logs;
mod mcp;
mod migrate;
mod nodes;
mod pages;
mod report;
mod runs;
mod serve;
mod show;
mod store;
mod studio;
mod support;
mod system;
mod templates;
mod top;
mod transfer;
mod variables;
mod watch;
mod worker;
mod worktree;
mod worktrees;

pub(crate) use nodes::counts;

use std::collections::BTreeMap;

use futures::executor::block_on;
use workflow_core::status::WaitReason;
use workflow_service::runs::{Inbox, ListRuns};

use crate::args::{Args, Command};
use crate::error::Error;
use crate::exit::Exit;
use crate::home::Home;
use crate::store_url::{self, Place};

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let (mut found, json) = (Home::find(args.home.as_deref()), args.json);
    found.roles = [args.roles.clone(), found.configured_roles()?].concat();
    let home = &found;
    // Commands that use no run ignore the options of the store.
    let place = || match &args.store_file {
        Some(file) => Place::new(found.clone(), Some(&store_url::read_url(file)?), args.trust_store),
        None => Place::new(found.clone(), args.store.as_deref(), args.trust_store),
    };
    block_on(async {
        match &args.command {
            Command::Init => init::init(&Home::here(args.home.as_deref()), json).await,
            Command::New { id, template } => templates::new(home, json, id, template).await,
            Command::List => definitions::list(home, place(), json).await,
            Command::Duplicate { id, new_id, name } => {
                transfer::duplicate(home, json, id, new_id, name.as_deref()).await
            }
            Command::Edit(args) => edit::edit(home, json, args).await,
            Command::Export { id } => transfer::export(home, json, id).await,
            Command::Import(args) => transfer::import(home, json, args).await,
            Command::Graph(args) => graph::graph(home, place, json, args).await,
            Command::Estimate { id } => inbox::estimate(&place()?, json, id).await,
            Command::Templates => templates::templates(home, json).await,
            Command::Roles => library::roles(home, json).await,
            Command::Profiles => library::profiles(home, json).await,
            Command::Validate { workflows, strict, explain } => {
                definitions::validate(home, json, workflows, (*strict, *explain)).await
            }
            Command::Doctor => doctor::doctor(home, json).await,
            Command::Schema { name } => definitions::schema(json, name),
            Command::Run(args) if args.dry_run => dry_run::dry_run(home, json, args).await,
            Command::Run(args) => drive::run(&place()?, json, args).await,
            Command::Runs { workflow, status, labels, text, parent, waiting, limit } => {
                let request = ListRuns {
                    workflow: workflow.clone(),
                    statuses: status.clone(),
                    labels: unique(labels)?,
                    text: text.clone(),
                    waits: WaitReason::ALL
                        .iter()
                        .copied()
                        .filter(|reason| *waiting && reason.is_for_a_person())
                        .collect(),
                    ..ListRuns::default()
                };
                runs::runs(&place()?, json, request, parent.as_ref(), *limit).await
            }
            Command::Inbox { workflow, labels, limit } => {
                let (workflow, labels) = (workflow.clone(), unique(labels)?);
                let limit = limit.map(usize::from);
                inbox::inbox(&place()?, json, Inbox { workflow, labels, limit }).await
            }
            Command::Show { run } => show::show(&place()?, json, run).await,
            Command::Events { run } => events::events(&place()?, json, run).await,
            Command::SupportBundle { run, with_content } => {
                support::support_bundle(&place()?, run, *with_content).await
            }
            Command::Worktree { what } => worktrees::worktree(&place()?, json, what).await,
            Command::Workers => system::workers(&place()?, json).await,
            Command::Stores => system::stores(&place()?, json).await,
            Command::Store { what } => store::store(&place()?, json, what).await,
            Command::Diff { run } => diff::diff(&place()?, json, run).await,
            Command::Logs(args) => logs::logs(&place()?, json, args).await,
            Command::Watch { run } => watch::watch(&place()?, json, run).await,
            Command::Report(args) => report::report(&place()?, json, args).await,
            Command::Compare { run, other } => compare::compare(&place()?, json, run, other).await,
            Command::Top => top::top(&place()?, json),
            Command::Pause { run } => control::pause(&place()?, json, run).await,
            Command::Cancel { run } => control::cancel(&place()?, json, run).await,
            Command::Kill { run } => control::kill(&place()?, json, run).await,
            Command::Resume { run, detach: true } => control::resume(&place()?, json, run).await,
            Command::Resume { run, detach: false } => drive::resume(&place()?, json, run).await,
            Command::Answer(args) => answer::answer(&place()?, json, args).await,
            Command::Signal(args) => control::signal(&place()?, json, args).await,
            Command::Fork(args) => fork::fork(&place()?, json, args).await,
            Command::Rerun(args) => fork::rerun(&place()?, json, args).await,
            Command::Migrate { run, apply } => migrate::migrate(&place()?, json, run, *apply).await,
            Command::Delete(args) => delete::delete(&place()?, json, args).await,
            Command::Prune(args) => delete::prune(&place()?, json, args).await,
            Command::Recover => drive::recover(&place()?, json).await,
            Command::Worker(args) => worker::worker(&place()?, json, args).await,
            Command::Serve(args) => serve::serve(&place()?, args).await,
            Command::Studio(args) => studio::studio(&place()?, args).await,
            Command::Mcp(args) => mcp::mcp(&place()?, args).await,
            Command::Completions { shell } => pages::completions(*shell),
            Command::Man { command } => pages::man(command.as_deref()),
        }
    })
}

/// Labels by their names.
fn unique(labels: &[(String, String)]) -> Result<BTreeMap<String, String>, Error> {
    let mut unique = BTreeMap::new();
    for (name, value) in labels {
        if unique.insert(name.clone(), value.clone()).is_some() {
            return Err(Error::Refused(format!("the label `{name}` is given twice: give it one value")));
        }
    }
    Ok(unique)
}
