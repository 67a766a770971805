//! Fetches new secrets from the provider of credentials when the engine wants one.

use std::sync::Arc;

use super::runtime::Runtime;
use crate::config::CredentialsProvider;
use crate::engine::Wanted;
use crate::link::Shared;
use crate::wire::Escaped;

/// The fetching of secrets. Dropping it stops a fetch.
pub(super) struct Asking<R: Runtime> {
    provider: Arc<dyn CredentialsProvider>,
    runtime: R,
    /// The task that fetches a secret at present.
    task: Option<R::Apart>,
}

impl<R: Runtime> Asking<R> {
    pub(super) fn new(provider: Arc<dyn CredentialsProvider>, runtime: R) -> Self {
        Self { provider, runtime, task: None }
    }

    /// Starts a fetch when a secret is wanted, and stops it when none is wanted any more, because
    /// it took too long.
    pub(super) fn follow(&mut self, wanted: Wanted, shared: &Arc<Shared>) {
        match wanted {
            Wanted::No => self.task = None,
            Wanted::Now => self.ask(shared),
            Wanted::Asked => {}
        }
    }

    /// Fetches in a separate task, so that a provider that blocks or panics does not affect the
    /// driver.
    fn ask(&mut self, shared: &Arc<Shared>) {
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

/// Reports a panic of the provider.
struct Watch(Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let now = self.0.now();
            self.0.with(|state| state.engine.handle_no_secret("the provider panicked".to_owned(), now));
        }
    }
}

#[cfg(all(test, feature = "tokio"))]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::yield_now;

    use super::*;
    use crate::config::Credentials;
    use crate::driver::tokio::OnTokioRuntime;
    use crate::engine::{Engine, Negotiated, Settings};
    use crate::wire::FieldTable;

    /// Counts what is dropped.
    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn shared() -> Arc<Shared> {
        let negotiated =
            Negotiated { channel_max: 0, frame_max: 4096, heartbeat: 0, server_properties: FieldTable::new() };
        let clock = OnTokioRuntime.clock();
        Arc::new(Shared::new(Engine::new(negotiated, Settings::default(), clock.now()), clock))
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_is_asked_once_and_dropped_when_no_secret_is_wanted_any_more() {
        let [asked, dropped] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let counts = || [&asked, &dropped].map(|count| count.load(Ordering::Relaxed));
        let (asks, drops) = (Arc::clone(&asked), Arc::clone(&dropped));
        let credentials = Credentials::provided_by(move || {
            asks.fetch_add(1, Ordering::Relaxed);
            let counted = Counted(Arc::clone(&drops));
            async move {
                let _counted = counted;
                std::future::pending().await
            }
        });
        let (shared, mut asking) = (shared(), Asking::new(Arc::clone(credentials.provider().unwrap()), OnTokioRuntime));
        let steps = [
            (Wanted::No, [0, 0]),
            (Wanted::Now, [1, 0]),
            (Wanted::Asked, [1, 0]),
            (Wanted::No, [1, 1]),
            (Wanted::Now, [2, 1]),
            (Wanted::Now, [3, 2]),
        ];
        for (wanted, expected) in steps {
            asking.follow(wanted, &shared);
            yield_now().await;
            assert_eq!(counts(), expected, "{wanted:?}");
        }
        drop(asking);
        yield_now().await;
        assert_eq!(counts(), [3, 3]);
    }
}
