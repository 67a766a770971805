//! Asks the provider of credentials for a new secret before the present one expires, and tells the broker.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::connect::Renewal;
use crate::config::Provided;
use crate::engine::{ConnectionNotice, Engine, Interest};
use crate::link::{Shared, Standing, Topic, Wait};
use crate::wire::Escaped;

/// The shortest pause between two questions.
const LEAST: Duration = Duration::from_secs(1);

/// Renews until the connection is over.
pub(super) async fn renew(shared: Arc<Shared>, renewal: Renewal) {
    let end = Standing::observing(&shared, Topic::Connection, Interest::End);
    let take = |engine: &mut Engine, id| engine.take_connection_notice(id).map_or(Poll::Pending, Poll::Ready);
    let _watch = Watch(Arc::clone(&shared));
    let mut renewing = pin!(renew_for_ever(shared, renewal));
    poll_fn(|context| match end.poll(context, take) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending => renewing.as_mut().poll(context),
    })
    .await;
}

/// Tells of a provider that panics, which ends the renewing.
struct Watch(Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let why = "the provider panicked, and is not asked again".to_owned();
            self.0.with(|state| state.engine.tell_connection(&ConnectionNotice::SecretNotUpdated(why)));
        }
    }
}

async fn renew_for_ever(shared: Arc<Shared>, renewal: Renewal) {
    let mut valid_for = renewal.valid_for;
    let mut pause = valid_for.mul_f64(0.8);
    loop {
        sleep(pause.max(LEAST)).await;
        match update(&shared, &renewal).await {
            Ok(Some(anew)) => {
                valid_for = anew;
                pause = valid_for.mul_f64(0.8);
            }
            // It lasts.
            Ok(None) => return,
            Err(why) => {
                shared.with(|state| state.engine.tell_connection(&ConnectionNotice::SecretNotUpdated(why)));
                // Some more times before the fifth that is left is over.
                pause = valid_for.mul_f64(0.04);
            }
        }
    }
}

/// Fetches a secret and tells the broker; gives how long it is good for.
async fn update(shared: &Arc<Shared>, renewal: &Renewal) -> Result<Option<Duration>, String> {
    let asking = renewal.provider.provide();
    let provided = match renewal.limit {
        Some(limit) => timeout(limit, asking)
            .await
            .map_err(|_| format!("no credentials within {limit:?} (credentials_timeout)"))?,
        None => asking.await,
    };
    let Provided { credentials, valid_for } =
        provided.map_err(|error| format!("no credentials: {}", Escaped(error)))?;
    let secret = credentials.password();
    let wait = Wait::begin(shared, |state, id, now| state.engine.update_secret(secret, "the secret expires", id, now));
    match wait.map_err(|error| error.to_string())?.await {
        Ok(_) => Ok(valid_for),
        Err(error) => Err(error.to_string()),
    }
}
