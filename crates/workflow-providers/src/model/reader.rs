//! Reads a response, which is a stream of events or one JSON value.

use serde_json::Value;

use super::answer::{Answer, Said};
use super::options::Api;
use super::sse::{Event, Events};
use super::{chat, messages, responses};

/// The longest answer, and the longest response that is not a stream.
const LIMIT: usize = 8 * 1024 * 1024;

/// Why the rest of a response cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Reads the pieces of a response.
pub(crate) struct Reader {
    api: Api,
    answer: Answer,
    body: Body,
}

enum Body {
    Stream(Events),
    Whole(Vec<u8>),
}

impl Reader {
    pub(crate) fn new(api: Api, is_stream: bool) -> Self {
        let body = if is_stream { Body::Stream(Events::default()) } else { Body::Whole(Vec::new()) };
        Self { api, answer: Answer::default(), body }
    }

    /// # Errors
    ///
    /// [`TooLong`]
    pub(crate) fn push(&mut self, piece: &[u8], say: &mut dyn FnMut(Said)) -> Result<(), TooLong> {
        let (api, answer) = (self.api, &mut self.answer);
        match &mut self.body {
            Body::Stream(events) => {
                events.push(piece, |event| read(api, answer, &event, say)).map_err(|_| TooLong)?;
            }
            Body::Whole(body) => body.extend_from_slice(piece),
        }
        let length = match &self.body {
            Body::Stream(_) => self.answer.text.len(),
            Body::Whole(body) => body.len(),
        };
        if length > LIMIT { Err(TooLong) } else { Ok(()) }
    }

    /// The answer so far, of which nothing more follows.
    pub(crate) fn finish(self, say: &mut dyn FnMut(Said)) -> Answer {
        let Self { api, mut answer, body } = self;
        match body {
            Body::Stream(events) => events.finish(|event| read(api, &mut answer, &event, say)),
            Body::Whole(body) => match serde_json::from_slice(&body) {
                Ok(value) => record(api, &mut answer, &value, say),
                Err(_) => answer.unknown += 1,
            },
        }
        answer
    }

    /// What is known of the answer so far.
    pub(crate) fn answer(&self) -> &Answer {
        &self.answer
    }
}

fn read(api: Api, answer: &mut Answer, event: &Event, say: &mut dyn FnMut(Said)) {
    // What follows an error is not read.
    if event.data == "[DONE]" || answer.fault.is_some() {
        return;
    }
    match serde_json::from_str(&event.data) {
        Ok(value) => record(api, answer, &value, say),
        Err(_) => answer.unknown += 1,
    }
}

fn record(api: Api, answer: &mut Answer, value: &Value, say: &mut dyn FnMut(Said)) {
    let is_known = match api {
        Api::Chat => chat::record(answer, value, say),
        Api::Responses => responses::record(answer, value, say),
        Api::Messages => messages::record(answer, value, say),
    };
    answer.unknown += u64::from(!is_known);
}
