//! What the program does in a recovery, before its other requests go on.

use std::sync::Arc;

use super::private::Private;
use super::replay::Void;
use super::waiting::{PATIENCE, Watch};
use crate::config::ConnectionParameters;
use crate::driver::runtime::Runtime;
use crate::engine::ChannelKey;
use crate::link::Shared;

/// What the hook of a program is given.
pub(crate) struct Hosting {
    pub(crate) shared: Arc<Shared>,
    pub(crate) channel: ChannelKey,
    pub(crate) generation: u32,
}

/// Runs the hook of the program, if there is one.
pub(super) async fn run_hook<R: Runtime>(watch: &Watch<R>, parameters: &ConnectionParameters) -> Result<(), Void> {
    let Some(hook) = &parameters.on_recovered else { return Ok(()) };
    let shared = watch.shared();
    let Some(private) = Private::open(watch).await? else {
        return Err(Void("no channel number is free for on_recovered".to_owned()));
    };
    let generation = shared.with(|state| state.engine.generation());
    // From here on, the handles of the program close the channel. There is no lock now, because the
    // closure is the program's.
    let channel = private.into_key();
    let work = hook.begin(&Hosting { shared: Arc::clone(shared), channel, generation });
    let limit = parameters.call_timeout.unwrap_or(PATIENCE);
    match watch.before(shared.now().checked_add(limit), work).await {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(Void(format!("on_recovered failed: {error}"))),
        None => Err(Void(format!("on_recovered was not done within {limit:?}"))),
    }
}
