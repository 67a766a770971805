//! Requests that tests have refused, and requests whose answers they hold back.

use std::collections::VecDeque;

use crate::broker::keys::{ChannelKey, ConnectionId};
use crate::broker::state::State;
use crate::broker::words::{Refusal, Scope};
use crate::protocol::{MethodId, ReplyCode};

/// What is to happen to the next requests.
#[derive(Debug, Default)]
pub(in crate::broker) struct Requests {
    /// In the order in which they were injected.
    failures: VecDeque<(MethodId, Refusal)>,
    /// The methods of the next requests whose answers are held, each as often as it was injected.
    holds: Vec<MethodId>,
}

/// Faults of requests.
impl State {
    /// Refuses the next request with this method, on any channel of any connection: it has no
    /// effect, and its channel or connection is closed with this code and text, blaming the method.
    /// The text is sent as it is, so it should begin with the name of the code, as in `NOT_FOUND -
    /// no queue 'jobs' in vhost '/'`. More than 255 bytes of it are cut.
    ///
    /// A request is what a client sends on a channel, and `connection.open` and
    /// `connection.update-secret`, which always close the connection. A `basic.publish` is refused
    /// when its content has arrived.
    ///
    /// Refusals queue up: each is for one request, in the order of the calls of this method. Those
    /// of other methods do not wait for each other.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// use leveret::protocol::{ProtocolMethod, ReplyCode, queue};
    /// use leveret::{Connection, broker::{Broker, Scope}};
    ///
    /// let broker = Broker::new();
    /// let text = "NOT_FOUND - failed to perform operation on queue 'jobs' in vhost '/' due to timeout";
    /// broker.state().fail_next(queue::Declare::ID, Scope::Channel, ReplyCode::NOT_FOUND, text);
    ///
    /// let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// let error = connection.open_channel().await?.queue_declare("jobs").await.unwrap_err();
    /// assert_eq!(error.reply_text().as_deref(), Some(text));
    /// assert!(broker.state().queue("/", "jobs").is_none());
    /// connection.open_channel().await?.queue_declare("jobs").await?;
    /// # Ok(()) }
    /// ```
    pub fn fail_next(&mut self, method: MethodId, scope: Scope, code: ReplyCode, text: impl Into<String>) {
        self.faults.requests.failures.push_back((method, Refusal::worded(scope, code, text)));
    }

    /// Holds back the answer to the next request with this method, on any channel of any
    /// connection, until [`State::release_held`]. The request is carried out: a held
    /// `basic.consume-ok` is that of a consumer that exists. Everything else that the broker sends
    /// on that channel from then on waits too, so that nothing overtakes the answer: answers to
    /// later requests, deliveries, confirms, and `channel.close-ok`. Other channels go on. What is
    /// held is dropped when the connection ends.
    ///
    /// Calls of this method add up: each is for one request. What a request is,
    /// [`State::fail_next`] describes. If both are injected for the same request, the close is
    /// held.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> leveret::Result<()> {
    /// use std::time::Duration;
    ///
    /// use leveret::protocol::{ProtocolMethod, queue};
    /// use leveret::{Connection, ConnectionParameters, ErrorKind, broker::Broker};
    ///
    /// let broker = Broker::new();
    /// let parameters = ConnectionParameters::default().call_timeout(Duration::from_secs(5));
    /// let connection = Connection::open_on(broker.connect(), parameters).await?;
    /// let channel = connection.open_channel().await?;
    ///
    /// broker.state().hold_next(queue::Declare::ID);
    /// let error = channel.queue_declare("jobs").await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::TimedOut);
    /// assert!(broker.state().queue("/", "jobs").is_some(), "the request was carried out");
    ///
    /// broker.state().release_held();
    /// channel.queue_declare("jobs").await?;
    /// # Ok(()) }
    /// ```
    pub fn hold_next(&mut self, method: MethodId) {
        self.faults.requests.holds.push(method);
    }

    /// Sends everything that [`State::hold_next`] holds back. Requests that are still to come are
    /// held nevertheless.
    pub fn release_held(&mut self) {
        let now = self.now;
        let holding: Vec<ConnectionId> = self.held().into_iter().map(|(id, _)| id).collect();
        for id in holding {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.release_held();
                self.wake(id);
            }
        }
        self.settle(now);
    }

    /// Cancels what [`State::hold_next`] has requested for requests that are still to come. What is
    /// held back stays so.
    pub fn hold_no_more(&mut self) {
        self.faults.requests.holds.clear();
    }

    /// Returns the channels whose output [`State::hold_next`] holds back, each with its connection;
    /// 0 is the connection itself.
    pub fn held(&self) -> Vec<(ConnectionId, u16)> {
        let connections = self.connections.iter();
        connections.flat_map(|(&id, connection)| connection.held_channels().map(move |number| (id, number))).collect()
    }

    /// Applies what was injected for a request, before it is carried out.
    pub(in crate::broker) fn intercept(&mut self, key: ChannelKey, method: MethodId) -> Result<(), Refusal> {
        let Requests { failures, holds } = &mut self.faults.requests;
        if let Some(place) = holds.iter().position(|held| *held == method) {
            holds.remove(place);
            if let Some(connection) = self.connections.get_mut(&key.connection) {
                connection.hold(key.number);
            }
        }
        let place = failures.iter().position(|(failing, _)| *failing == method);
        match place.and_then(|place| failures.remove(place)) {
            Some((_, refusal)) => Err(refusal),
            None => Ok(()),
        }
    }
}
