//! Implements the provider trait for pointers to providers.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::provider::Provider;
use crate::provider::checkup::Checkup;
use crate::provider::context::CallContext;
use crate::provider::error::ProviderError;
use crate::provider::reply::Reply;
use crate::provider::request::{CallId, CallRequest};

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: Provider + ?Sized> Provider for $pointer {
            // Written by hand instead of with `async_trait`: a call then costs one box and not two.
            fn call<'provider, 'call>(
                &'provider self,
                request: CallRequest,
                context: CallContext,
            ) -> BoxFuture<'call, Result<Reply, ProviderError>>
            where
                'provider: 'call,
                Self: 'call,
            {
                (**self).call(request, context)
            }

            async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
                (**self).reclaim(call).await
            }

            fn takes_exact_numbers(&self) -> bool {
                (**self).takes_exact_numbers()
            }

            fn needs_grace(&self) -> bool {
                (**self).needs_grace()
            }

            fn options_schema(&self) -> Option<Value> {
                (**self).options_schema()
            }

            fn has_skill(&self, name: &str) -> bool {
                (**self).has_skill(name)
            }

            fn check_options(&self, options: &Value) -> Result<(), String> {
                (**self).check_options(options)
            }

            async fn checkup(&self) -> Option<Checkup> {
                (**self).checkup().await
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);
