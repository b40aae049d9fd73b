//! The behaviour of one call.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, pending, select};
use serde_json::Value;
use workflow_core::data::Data;
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, ProviderError, Question, Reply};
use workflow_core::stop::Stop;
use workflow_core::usage::Usage;

/// The behaviour of one call: its output, how long it takes by the engine's clock, and how it ends. A call
/// that is told to stop ends as cancelled.
#[derive(Debug, Clone)]
pub struct Act {
    says: Vec<(Duration, OutputKind, String)>,
    used: Vec<Usage>,
    session: Option<String>,
    after: Duration,
    end: End,
    gave: Option<Data>,
    usage: Option<Usage>,
    details: Option<Value>,
    asks: Option<Question>,
    stops: Stops,
}

/// The behaviour when it is told to stop.
#[derive(Debug, Clone, Copy)]
enum Stops {
    AtOnce,
    After(Duration),
    Never,
}

#[derive(Debug, Clone)]
enum End {
    Reply(Data),
    Fail(ProviderError),
    RateLimited(String, Duration),
    Hang,
    Panic(String),
}

impl Act {
    fn ends(end: End) -> Self {
        Self {
            says: Vec::new(),
            used: Vec::new(),
            session: None,
            after: Duration::ZERO,
            end,
            gave: None,
            usage: None,
            details: None,
            asks: None,
            stops: Stops::AtOnce,
        }
    }

    /// Replies with that output: a JSON value, or a text.
    pub fn reply(output: impl Into<Value>) -> Self {
        Self::ends(End::Reply(Data::from(output.into())))
    }

    /// Fails with a failure of that class.
    pub fn fail(class: FailureClass, message: impl Into<String>) -> Self {
        Self::ends(End::Fail(ProviderError::new(class, message)))
    }

    /// Fails with that error.
    pub fn error(error: ProviderError) -> Self {
        Self::ends(End::Fail(error))
    }

    /// Fails because a quota is used up, until `time` after the end of the call.
    pub fn rate_limited(message: impl Into<String>, time: Duration) -> Self {
        Self::ends(End::RateLimited(message.into(), time))
    }

    /// Never ends by itself.
    pub fn hang() -> Self {
        Self::ends(End::Hang)
    }

    /// Panics with `message`.
    pub fn panic(message: impl Into<String>) -> Self {
        Self::ends(End::Panic(message.into()))
    }

    /// Ends `delay` after its last output. Without it, the call ends at once.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { after: delay, ..self }
    }

    /// Outputs a piece of the text of a model.
    #[must_use]
    pub fn says(self, text: impl Into<String>) -> Self {
        self.outputs(Duration::ZERO, OutputKind::TextDelta, text)
    }

    /// Outputs an entry `delay` after the one before.
    #[must_use]
    pub fn outputs(mut self, delay: Duration, kind: OutputKind, text: impl Into<String>) -> Self {
        self.says.push((delay, kind, text.into()));
        self
    }

    /// Reports the usage so far, before it waits to end.
    #[must_use]
    pub fn reports(mut self, usage: Usage) -> Self {
        self.used.push(usage);
        self
    }

    /// Records a session at the start; a reply ends in it.
    #[must_use]
    pub fn session(self, session: impl Into<String>) -> Self {
        Self { session: Some(session.into()), ..self }
    }

    /// Sets the partial output of a call that fails or is stopped.
    #[must_use]
    pub fn gave(self, output: impl Into<Data>) -> Self {
        Self { gave: Some(output.into()), ..self }
    }

    /// Sets the usage in the reply or the error.
    #[must_use]
    pub fn usage(self, usage: Usage) -> Self {
        Self { usage: Some(usage), ..self }
    }

    /// Sets the details of the reply or of the failure.
    #[must_use]
    pub fn details(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    /// Stops to ask a person, unless an earlier attempt has asked the same and was answered.
    #[must_use]
    pub fn asks(self, question: impl Into<String>, choices: &[&str]) -> Self {
        let asks = ProviderError::asks(question, choices).question.map(|question| *question);
        Self { asks, ..self }
    }

    /// Takes this long to stop after it was told to, unless it is told to stop at once.
    #[must_use]
    pub fn stops_after(self, time: Duration) -> Self {
        Self { stops: Stops::After(time), ..self }
    }

    /// Ignores the stop signal.
    #[must_use]
    pub fn ignores_stop(self) -> Self {
        Self { stops: Stops::Never, ..self }
    }

    /// Executes it in a call, for providers that are built on this one.
    ///
    /// # Errors
    ///
    /// The error that was set, or that the call was stopped.
    ///
    /// # Panics
    ///
    /// If it is set to panic.
    pub async fn perform(&self, context: &CallContext) -> Result<Reply, ProviderError> {
        let (work, stopped) = (pin!(self.work(context)), pin!(self.stopped(context)));
        match select(work, stopped).await {
            Either::Left(_) => self.end(context),
            Either::Right(_) => Err(self.with_what_it_gave(ProviderError::cancelled())),
        }
    }

    async fn work(&self, context: &CallContext) {
        if let Some(session) = &self.session {
            // If the run is no longer driven here, the session cannot be recorded.
            let _ = context.record_session(session).await;
        }
        for (delay, kind, text) in &self.says {
            wait(context, *delay).await;
            context.output(*kind, text);
        }
        for usage in &self.used {
            context.usage(usage.clone());
        }
        if matches!(self.end, End::Hang) {
            pending::<()>().await;
        }
        wait(context, self.after).await;
    }

    async fn stopped(&self, context: &CallContext) {
        if matches!(self.stops, Stops::Never) {
            pending::<()>().await;
        }
        context.stop().wait(Stop::Gracefully).await;
        if let Stops::After(time) = self.stops {
            select(context.sleep(time), pin!(context.stop().wait(Stop::AtOnce))).await;
        }
    }

    fn end(&self, context: &CallContext) -> Result<Reply, ProviderError> {
        let is_answered =
            |asks: &&Question| context.answers().iter().any(|given| *given.question == asks.text);
        if let Some(question) = self.asks.as_ref().filter(|asks| !is_answered(asks)) {
            let question = Some(Box::new(question.clone()));
            return Err(ProviderError {
                question,
                usage: self.usage.clone(),
                ..ProviderError::asks("", &[])
            });
        }
        match &self.end {
            End::Hang => Ok(Reply::default()),
            End::Reply(output) => Ok(Reply {
                output: output.clone(),
                usage: self.usage.clone(),
                session: self.session.clone(),
                details: self.details.clone().map(Box::new),
            }),
            End::Fail(error) => Err(self.with_what_it_gave(error.clone())),
            End::RateLimited(message, time) => {
                let until = context.now().checked_add(*time).ok();
                Err(self.with_what_it_gave(ProviderError::rate_limited(message, until)))
            }
            End::Panic(message) => panic!("{message}"),
        }
    }

    fn with_what_it_gave(&self, mut error: ProviderError) -> ProviderError {
        error.usage = self.usage.clone().or(error.usage);
        error.output = self.gave.clone().or(error.output);
        error.failure.details = self.details.clone().or(error.failure.details);
        error
    }
}

async fn wait(context: &CallContext, time: Duration) {
    if !time.is_zero() {
        context.sleep(time).await;
    }
}
