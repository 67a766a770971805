//! How many unsettled deliveries the broker may send to a consumer (`basic.qos`).

use crate::engine::channel::{Effect, Expected};
use crate::engine::{ChannelKey, Engine, Failure};
use crate::protocol::{Method, ProtocolMethod, Request, basic};

/// The prefetch of the consumers that start on a channel.
#[derive(Debug, Default)]
pub(in crate::engine) struct Prefetch {
    /// What the application set for the channel. It holds for every consumer that does not ask for
    /// another.
    by_application: Option<u16>,
    /// The application set a limit that consumers share: none is added to it.
    shared: bool,
    /// What the broker was told last; 0, for no limit, is where it begins.
    told: u16,
}

impl Prefetch {
    /// Takes note of a request of the application's.
    pub(in crate::engine) fn handle_request(&mut self, request: &Method) {
        match request {
            Method::BasicQos(qos) if qos.global => self.shared = true,
            Method::BasicQos(qos) => {
                self.by_application = Some(qos.prefetch_count);
                self.told = qos.prefetch_count;
            }
            _ => {}
        }
    }

    /// What the broker has to be told before a consumer starts that asks for `wanted`.
    fn to_tell(&self, wanted: Option<u16>, default: u16) -> Option<u16> {
        let default = if self.shared { 0 } else { default };
        let wanted = wanted.or(self.by_application).unwrap_or(default);
        (wanted != self.told).then_some(wanted)
    }
}

impl Engine {
    /// Has the broker send at most `prefetch` unsettled deliveries to the consumer that is started
    /// next, or as many as the application set for the channel, or else the default.
    ///
    /// Nobody waits for the answer, so that it has no deadline: the consume that follows has one.
    pub(in crate::engine) fn set_prefetch(&mut self, key: ChannelKey, prefetch: Option<u16>) -> Result<(), Failure> {
        let default = self.settings.default_prefetch;
        let Some(channel) = self.channels.get_mut(key) else { return Ok(()) };
        let Some(count) = channel.prefetch.to_tell(prefetch, default) else { return Ok(()) };
        channel.prefetch.told = count;
        let qos = basic::Qos::default().prefetch_count(count);
        let position = self.encode_method(key, &qos)?;
        let expected =
            Expected { id: <basic::Qos as ProtocolMethod>::ID, name: basic::Qos::NAME, replies: basic::Qos::REPLIES };
        self.push_call(key, expected, None, Effect::None, position, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(requests: &[basic::Qos]) -> Prefetch {
        let mut prefetch = Prefetch::default();
        requests.iter().for_each(|qos| prefetch.handle_request(&qos.clone().into()));
        prefetch
    }

    #[test]
    fn a_consumer_gets_what_it_asks_for_or_what_the_channel_has_or_the_default() {
        let qos = |count| basic::Qos::default().prefetch_count(count);
        assert_eq!(after(&[]).to_tell(None, 250), Some(250));
        assert_eq!(after(&[]).to_tell(Some(7), 250), Some(7));
        assert_eq!(after(&[qos(10)]).to_tell(None, 250), None);
        assert_eq!(after(&[qos(10)]).to_tell(Some(7), 250), Some(7));
        assert_eq!(after(&[qos(0)]).to_tell(None, 250), None, "no limit is a limit that was asked for");
        assert_eq!(after(&[qos(10).global(true)]).to_tell(None, 250), None);
        assert_eq!(after(&[qos(10), qos(0).global(true)]).to_tell(None, 250), None);
    }
}
