//! The service: an engine, and who may do what with it.

use std::fmt;
use std::sync::Arc;

use futures::stream::Stream;
use workflow_core::runs::Runs;
use workflow_exec::Engine;

use crate::caller::{Caller, Policy, ScopePolicy};
use crate::envelope::Envelope;
use crate::error::ServiceError;
use crate::host::{Host, HostParts};
use crate::message::Batch;
use crate::operation::{Operation, ask};
use crate::run_worktrees::RunWorktrees;
use crate::stream::{self, Subscribe};
use crate::table::find;
use crate::test_notices::TestNotices;

/// Carries out operations. Cheap to clone; all clones are one service. The [crate](crate) has an example.
#[derive(Clone)]
pub struct Service {
    host: Arc<Host>,
}

/// Builds a [`Service`].
///
/// ```
/// use workflow_exec::Engine;
/// use workflow_service::{ScopePolicy, Service};
///
/// let engine = Engine::builder().build()?;
/// let service = Service::builder(engine).policy(ScopePolicy).build();
/// # Ok::<(), workflow_exec::EngineError>(())
/// ```
#[must_use]
pub struct ServiceBuilder(HostParts);

impl ServiceBuilder {
    /// Uses the runs of another engine. The engine of the builder then only checks definitions.
    pub fn runs(mut self, runs: impl Runs + 'static) -> Self {
        self.0.runs = Some(Arc::new(runs));
        self
    }

    /// Decides which caller may do what; by their scopes unless set.
    pub fn policy(mut self, policy: impl Policy + 'static) -> Self {
        self.0.policy = Box::new(policy);
        self
    }

    /// Offers the worktrees that the providers of the engine work in.
    pub fn worktrees(mut self, worktrees: impl RunWorktrees + 'static) -> Self {
        self.0.worktrees = Some(Box::new(worktrees));
        self
    }

    /// Offers tests of the targets of a notifier. The host runs the notifier itself.
    pub fn notifications(mut self, notices: impl TestNotices + 'static) -> Self {
        self.0.notifications = Some(Box::new(notices));
        self
    }

    /// Says where the store of runs is, for people. It must contain no password.
    pub fn store_place(mut self, place: impl Into<String>) -> Self {
        self.0.store_place = Some(place.into());
        self
    }

    /// The service.
    pub fn build(self) -> Service {
        Service { host: Arc::new(Host::new(self.0)) }
    }
}

impl Service {
    /// A service of an engine, with the defaults of [`ServiceBuilder`].
    pub fn new(engine: Engine) -> Self {
        Self::builder(engine).build()
    }

    /// A builder of a service.
    pub fn builder(engine: Engine) -> ServiceBuilder {
        let policy = Box::new(ScopePolicy);
        ServiceBuilder(HostParts {
            engine,
            runs: None,
            policy,
            worktrees: None,
            notifications: None,
            store_place: None,
        })
    }

    /// Carries out an operation, if the policy allows it.
    ///
    /// Dropping the future leaves what the operation has done until then; each operation says more.
    ///
    /// # Errors
    ///
    /// [`ServiceError`], with a code of [`Code`](crate::Code).
    pub async fn ask<O: Operation>(&self, caller: &Caller, request: O) -> Result<O::Response, ServiceError> {
        ask(&self.host, caller, request).await
    }

    /// Carries out the operation of that name, with its request as JSON, and returns the response as JSON: for
    /// bindings. An empty text is an empty request.
    pub async fn call(&self, name: &str, request: &str, caller: &Caller) -> Envelope {
        match find(name) {
            Ok(operation) => (operation.call)(&self.host, request, caller).await.into(),
            Err(error) => Err(error).into(),
        }
    }

    /// Follows runs: events and output of some, the heads of all. Each batch has what was stored since the one before
    /// was taken; a client that reconnects names the numbers that it has, and misses nothing. The stream ends when
    /// all runs that it follows have ended, unless it follows the heads. Dropping it ends the subscription.
    ///
    /// ```
    /// use futures::StreamExt as _;
    /// use workflow_service::{Caller, FollowRun, Service, Subscribe};
    ///
    /// # async fn follow(service: &Service) -> Result<(), workflow_service::ServiceError> {
    /// let run = FollowRun { run_id: "r1".parse().unwrap(), after: 0, after_output: Some(0) };
    /// let request = Subscribe { runs: vec![run], heads: false };
    /// let mut stream = service.subscribe(&Caller::host(), request).await?;
    /// while let Some(batch) = stream.next().await {
    ///     send(batch.to_json());
    /// }
    /// # Ok(())
    /// # }
    /// # fn send(_: String) {}
    /// ```
    ///
    /// # Errors
    ///
    /// [`ServiceError`] when the request is invalid, a run does not exist, or the policy refuses.
    pub async fn subscribe(
        &self,
        caller: &Caller,
        request: Subscribe,
    ) -> Result<impl Stream<Item = Batch> + Send + Unpin + use<>, ServiceError> {
        stream::subscribe(self.host.clone(), caller, request).await
    }

    /// The engine that checks definitions.
    pub fn engine(&self) -> &Engine {
        self.host.engine()
    }

    /// The runs.
    pub fn runs(&self) -> &dyn Runs {
        self.host.runs()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}
