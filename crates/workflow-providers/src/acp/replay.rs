//! A conversation with an agent whose messages are known: for fuzz targets.

use std::path::Path;

use workflow_core::provider::CallRequest;

use super::asking::Persons;
use super::call::take;
use super::options::AcpOptions;
use super::session::{Session, Task};
use crate::agent::cli::{End, Outcome, Said, Trouble};
use crate::agent::records::Records;
use crate::agent::transcript::Unknown;

/// What is said when an agent prints these pieces, with the lines that it is sent as the last entry, and the outcome.
pub(crate) fn read(
    request: &CallRequest,
    pieces: &[&[u8]],
    end: &End,
) -> (Vec<Said>, Result<Outcome, Trouble>) {
    let options = AcpOptions::read(&request.options).unwrap_or_else(|problem| unreachable!("{problem}"));
    let task = Task {
        options: &options,
        prompt: request.prompt.clone(),
        directory: Path::new("/"),
        session: request.session.as_deref(),
        cost_before: None,
        persons: Persons::new(&[], &[]),
    };
    let (mut session, mut records, mut unknown) =
        (Session::new(task), Records::default(), Unknown::default());
    let (mut said, mut sent) = (Vec::new(), session.take_out());
    for piece in pieces {
        records.push(piece, |record| take(&mut session, &mut unknown, record, &mut |piece| said.push(piece)));
        sent.extend(session.take_out());
    }
    records.finish(|record| take(&mut session, &mut unknown, record, &mut |piece| said.push(piece)));
    sent.extend(session.take_out());
    said.extend(unknown.notice().map(Said::Log));
    said.push(Said::Log(String::from_utf8_lossy(&sent).into_owned()));
    (said, session.end(end))
}
