//! Fetches new secrets from the provider of credentials, when the engine asks for one.

use std::sync::Arc;

use super::runtime::Runtime;
use crate::config::CredentialsProvider;
use crate::link::Shared;
use crate::wire::Escaped;

/// Whom to ask. Dropped, it asks no more.
pub(super) struct Asking<R: Runtime> {
    provider: Arc<dyn CredentialsProvider>,
    runtime: R,
    /// What asks at present, or did last.
    task: Option<R::Apart>,
}

impl<R: Runtime> Asking<R> {
    pub(super) fn new(provider: Arc<dyn CredentialsProvider>, runtime: R) -> Self {
        Self { provider, runtime, task: None }
    }

    /// Asks in a task of its own: a provider that blocks or panics does it there. What was asked
    /// before took too long.
    pub(super) fn ask(&mut self, shared: &Arc<Shared>) {
        self.task = None;
        self.task = Some(self.runtime.apart(ask(Arc::clone(&self.provider), Arc::clone(shared))));
    }
}

async fn ask(provider: Arc<dyn CredentialsProvider>, shared: Arc<Shared>) {
    let _watch = Watch(Arc::clone(&shared));
    let provided = provider.provide().await.map_err(|error| format!("no credentials: {}", Escaped(error)));
    let now = shared.now();
    shared.with(|state| match &provided {
        Ok(provided) => state.engine.handle_secret(provided.credentials.password(), provided.valid_for, now),
        Err(why) => state.engine.handle_no_secret(why.clone(), now),
    });
}

/// Tells of a provider that panics.
struct Watch(Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let now = self.0.now();
            self.0.with(|state| state.engine.handle_no_secret("the provider panicked".to_owned(), now));
        }
    }
}
