//! An operation: a request type with a name, a scope and a response type.

use futures::future::{BoxFuture, FutureExt as _};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::caller::{Caller, OperationMeta, Scope, Target};
use crate::camel;
use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;

/// A request of an operation. The types that implement it are in [`workflows`](crate::workflows) and
/// [`runs`](crate::runs); [`Service::ask`](crate::Service::ask) carries one out.
pub trait Operation: DeserializeOwned + JsonSchema + Send + 'static {
    /// The name, for instance `workflow:runs:get`.
    const NAME: &'static str;
    /// What a caller has to be allowed to do.
    const SCOPE: Scope;
    /// What it does, in one sentence.
    const ABOUT: &'static str;
    /// What it returns.
    type Response: Serialize + JsonSchema + Send;

    /// What it is called for.
    fn target(&self) -> Target<'_> {
        Target::None
    }

    /// What the caller has to be allowed to do for this request: [`SCOPE`](Self::SCOPE), or more.
    fn scope(&self) -> Scope {
        Self::SCOPE
    }

    /// Carries the operation out, without asking the policy.
    fn run(
        self,
        host: &Host,
        caller: &Caller,
    ) -> impl Future<Output = Result<Self::Response, ServiceError>> + Send;
}

type Call = for<'a> fn(&'a Host, &'a str, &'a Caller) -> BoxFuture<'a, Result<Box<RawValue>, ServiceError>>;

/// An operation as the table lists it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct OperationInfo {
    /// The name, the scope and what it does.
    pub meta: OperationMeta,
    request: fn(&mut SchemaGenerator) -> Schema,
    response: fn(&mut SchemaGenerator) -> Schema,
    pub(crate) call: Call,
}

impl OperationInfo {
    pub(crate) const fn of<O: Operation>() -> Self {
        Self {
            meta: meta::<O>(),
            request: |generator| generator.subschema_for::<O>(),
            response: |generator| generator.subschema_for::<O::Response>(),
            call: |host, request, caller| call::<O>(host, request, caller).boxed(),
        }
    }

    /// The JSON Schema of the request. Schemas of types that several operations use go to the definitions of
    /// `generator`; names of members are as in JSON once [`camel_schema`](crate::camel_schema) was applied.
    pub fn request_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.request)(generator)
    }

    /// The JSON Schema of the response, as [`request_schema`](Self::request_schema).
    pub fn response_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.response)(generator)
    }
}

const fn meta<O: Operation>() -> OperationMeta {
    OperationMeta::new(O::NAME, O::SCOPE, O::ABOUT)
}

/// Fails if the policy does not allow the caller to carry the operation out for the target.
pub(crate) async fn allow<O: Operation>(
    host: &Host,
    caller: &Caller,
    target: Target<'_>,
) -> Result<(), ServiceError> {
    allowed::<O>(host, caller, O::SCOPE, target).await
}

async fn allowed<O: Operation>(
    host: &Host,
    caller: &Caller,
    scope: Scope,
    target: Target<'_>,
) -> Result<(), ServiceError> {
    host.policy().allow(caller, &OperationMeta { scope, ..meta::<O>() }, target).await
}

/// Carries an operation out, if the policy allows it. Operations that change files or delete runs are logged with their
/// caller: the log of a run has no event for them.
pub(crate) async fn ask<O: Operation>(
    host: &Host,
    caller: &Caller,
    request: O,
) -> Result<O::Response, ServiceError> {
    let scope = request.scope();
    allowed::<O>(host, caller, scope, request.target()).await?;
    let target = (scope >= Scope::Edit).then(|| request.target().to_string());
    let response = request.run(host, caller).await?;
    if let Some(target) = target {
        let name = caller.name.as_deref().unwrap_or_default();
        // Names can be anything: their debug form has no control characters.
        tracing::info!(operation = O::NAME, target, caller = ?caller.id, name = ?name, via = ?caller.via, "carried out");
    }
    Ok(response)
}

async fn call<O: Operation>(
    host: &Host,
    request: &str,
    caller: &Caller,
) -> Result<Box<RawValue>, ServiceError> {
    let response = ask(host, caller, parse::<O>(request)?).await?;
    camel::to_raw(&response)
        .map_err(|error| ServiceError::new(Code::Internal, format!("the response of {}: {error}", O::NAME)))
}

/// The request of an operation from its JSON.
pub(crate) fn parse<O: Operation>(request: &str) -> Result<O, ServiceError> {
    // An operation that needs nothing may be called without a request.
    let request = if request.trim().is_empty() { "{}" } else { request };
    let mut reader = serde_json::Deserializer::from_str(request);
    let parsed: O = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, problem) = (error.path().to_string(), error.inner().to_string());
        let place = if path == "." { String::new() } else { format!(" at `{path}`") };
        ServiceError::invalid_request(format!("the request of {}{place}: {problem}", O::NAME))
    })?;
    reader
        .end()
        .map_err(|error| ServiceError::invalid_request(format!("the request of {}: {error}", O::NAME)))?;
    Ok(parsed)
}
