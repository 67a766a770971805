//! Channels that no handle of the program has.

use std::sync::Arc;

use super::replay::Void;
use super::waiting::Watch;
use crate::driver::runtime::Runtime;
use crate::engine::{ChannelKey, Completion, Failure};
use crate::link::{Shared, Wait};

/// A channel of a supervisor, which is closed and forgotten when this is dropped: also by a loss,
/// which drops what uses it.
pub(super) struct Private {
    shared: Arc<Shared>,
    key: ChannelKey,
    is_left: bool,
}

impl Private {
    /// Opens one. Returns `None` if no number is free.
    pub(super) async fn open<R: Runtime>(watch: &Watch<R>) -> Result<Option<Self>, Void> {
        let wait = Wait::begin(watch.shared(), |state, id, now| state.engine.open_private_channel(id, now).map(drop));
        match watch.answer(wait).await {
            Ok(Completion::Opened(key)) => Ok(Some(Self { shared: Arc::clone(watch.shared()), key, is_left: false })),
            Err(Failure::ChannelsExhausted { .. }) => Ok(None),
            Ok(_) => Err(Void("an open was answered by something else".to_owned())),
            Err(failure) => Err(Void(failure.to_string())),
        }
    }

    pub(super) fn key(&self) -> ChannelKey {
        self.key
    }

    /// Leaves the channel to its handles, which are made of its key.
    pub(super) fn into_key(mut self) -> ChannelKey {
        self.is_left = true;
        self.key
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if !self.is_left {
            self.shared.with(|state| state.engine.release_channel(self.key));
        }
    }
}
