//! The prefetch: how many unsettled deliveries the broker may send to a consumer (`basic.qos`).

use crate::engine::channel::{Effect, Expected};
use crate::engine::{ChannelKey, Engine, Failure};
use crate::protocol::{Method, ProtocolMethod, Request, basic};

/// The prefetch of the consumers that start on a channel.
#[derive(Debug, Default)]
pub(in crate::engine) struct Prefetch {
    /// The count that the application set for the channel. It applies to every consumer that does
    /// not ask for another.
    by_application: Option<u16>,
    /// Whether the application set a limit that consumers share. No default is added to it.
    shared: bool,
    /// The count that was sent to the broker last; initially 0, for no limit.
    sent: u16,
}

impl Prefetch {
    /// Records a request of the application.
    pub(in crate::engine) fn handle_request(&mut self, request: &Method) {
        match request {
            Method::BasicQos(qos) if qos.global => self.shared = true,
            Method::BasicQos(qos) => {
                self.by_application = Some(qos.prefetch_count);
                self.sent = qos.prefetch_count;
            }
            _ => {}
        }
    }

    /// Forgets what was sent, because the broker has forgotten the channel.
    pub(in crate::engine) fn forget_sent(&mut self) {
        self.sent = 0;
    }

    /// The count that is in force for the next consumer.
    pub(in crate::engine) fn in_force(&self) -> u16 {
        self.sent
    }

    /// The count that has to be sent before a consumer starts that asks for `wanted`; `None` if it
    /// is in effect already.
    fn to_send(&self, wanted: Option<u16>, default: u16) -> Option<u16> {
        let default = if self.shared { 0 } else { default };
        let wanted = wanted.or(self.by_application).unwrap_or(default);
        (wanted != self.sent).then_some(wanted)
    }
}

impl Engine {
    /// Limits the consumer that is started next to `prefetch` unsettled deliveries. If that is
    /// `None`, the count that the application set for the channel applies, or else the default.
    ///
    /// No waiter waits for the answer, and it has no deadline: the consume that follows has one.
    pub(in crate::engine) fn set_prefetch(&mut self, key: ChannelKey, prefetch: Option<u16>) -> Result<(), Failure> {
        let default = self.settings.default_prefetch;
        let Some(channel) = self.channels.get_mut(key) else { return Ok(()) };
        let Some(count) = channel.prefetch.to_send(prefetch, default) else { return Ok(()) };
        channel.prefetch.sent = count;
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
        assert_eq!(after(&[]).to_send(None, 250), Some(250));
        assert_eq!(after(&[]).to_send(Some(7), 250), Some(7));
        assert_eq!(after(&[qos(10)]).to_send(None, 250), None);
        assert_eq!(after(&[qos(10)]).to_send(Some(7), 250), Some(7));
        assert_eq!(after(&[qos(0)]).to_send(None, 250), None, "no limit is a limit that was asked for");
        assert_eq!(after(&[qos(10).global(true)]).to_send(None, 250), None);
        assert_eq!(after(&[qos(10), qos(0).global(true)]).to_send(None, 250), None);
    }
}
