//! Defects of stores that search output and lists of runs.

use workflow_core::ids::RunId;
use workflow_core::store::{OutputFilter, OutputWindow, RunFilter, RunRecord, RunStore, StoreError};

use crate::defects::Defect;

/// A window of output of a store with the defect.
pub(crate) async fn window(
    defect: Defect,
    inner: &dyn RunStore,
    run: &RunId,
    filter: &OutputFilter,
) -> Result<OutputWindow, StoreError> {
    let mut changed = filter.clone();
    match defect {
        Defect::WindowsIgnoreThePlace => {
            (changed.stage, changed.lane, changed.node, changed.items) = (None, None, None, Vec::new());
        }
        Defect::WindowsAreOfTheWrongEnd => changed.after = changed.after.or(Some(0)),
        Defect::WindowsAreCutBeforeTheyAreFiltered => changed.limit = None,
        Defect::SearchesWithCase | Defect::SearchesTheStoredForm | Defect::FoldsTheCaseOfAllLetters => {
            changed.text = None;
        }
        _ => {}
    }
    let mut window = inner.output_window(run, &changed).await?;
    let wanted = filter.text.clone().unwrap_or_default();
    window.entries.retain(|entry| match defect {
        Defect::SearchesWithCase => entry.text.contains(&wanted),
        Defect::SearchesTheStoredForm => {
            let json = serde_json::to_string(entry).unwrap();
            json.to_ascii_lowercase().contains(&wanted.to_ascii_lowercase())
        }
        Defect::FoldsTheCaseOfAllLetters => entry.text.to_lowercase().contains(&wanted.to_lowercase()),
        _ => true,
    });
    match defect {
        Defect::WindowsAreCutBeforeTheyAreFiltered => {
            let limit = filter.limit.unwrap_or(usize::MAX);
            let page = inner.output(run, 0, limit).await?;
            window.entries.retain(|entry| page.contains(entry));
        }
        Defect::CountsTheWindow => {
            window.total = window.total.map(|_| window.entries.len() as u64);
        }
        Defect::NotesNoParts => window.marks.clear(),
        _ => {}
    }
    Ok(window)
}

/// The runs with a text, of a store with the defect.
pub(crate) async fn runs(
    defect: Defect,
    inner: &dyn RunStore,
    mut filter: RunFilter,
) -> Result<Vec<RunRecord>, StoreError> {
    let text = filter.text.take().unwrap_or_default();
    let mut records = inner.list(&filter).await?;
    records.retain(|record| {
        if defect == Defect::LooksForTextAnywhere {
            let record = serde_json::to_string(record).unwrap();
            return record.to_ascii_lowercase().contains(&text.to_ascii_lowercase());
        }
        let ids = [record.run_id.as_str(), record.head.workflow_id.as_str()];
        let mut texts = ids.into_iter().chain(record.head.labels.values().map(String::as_str));
        texts.any(|found| found.to_lowercase().contains(&text.to_lowercase()))
    });
    Ok(records)
}
