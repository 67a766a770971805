//! What a client says: for what no client can or will send, to the embedded broker and to real
//! ones.

mod expecting;

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use leveret::protocol::{Method, ProtocolMethod, ReplyCode, Request, basic, channel, connection};
use leveret::{ConnectionParameters, FieldTable, FieldValue, Properties};

pub use expecting::Close;

use crate::frames::{self, FRAME_MAX, PROTOCOL_HEADER};
use crate::peer::Peer;
use crate::transport::Transport;

/// How long anything may take that a healthy broker does at once.
const SOON: Duration = Duration::from_secs(30);

/// A [`Peer`] at the client's end of a connection. What it expects does not see heartbeats.
#[derive(Debug)]
pub struct Client<T> {
    peer: Peer<T>,
    parameters: ConnectionParameters,
}

impl<T> Deref for Client<T> {
    type Target = Peer<T>;

    fn deref(&self) -> &Peer<T> {
        &self.peer
    }
}

impl<T> DerefMut for Client<T> {
    fn deref_mut(&mut self) -> &mut Peer<T> {
        &mut self.peer
    }
}

/// Shaking hands.
impl<T: Transport> Client<T> {
    /// A stream to a broker on which nothing was said. Of the parameters it takes the credentials
    /// and the virtual host.
    pub fn on(stream: T, parameters: ConnectionParameters) -> Self {
        let peer = Peer::on(stream).patience(SOON).frame_max(0).ignoring_heartbeats();
        Self { peer, parameters }
    }

    /// Opens the connection, without heartbeats.
    #[must_use]
    pub async fn open(self) -> Self {
        let tune_ok = self.tune_ok();
        self.open_with(tune_ok).await
    }

    /// The same with other limits.
    #[must_use]
    pub async fn open_with(mut self, tune_ok: connection::TuneOk) -> Self {
        self.until_tune().await;
        let open = self.virtual_host();
        self.send(0, tune_ok).await;
        self.call(0, open).await;
        self
    }

    /// The same, and channel 1 on it.
    #[must_use]
    pub async fn open_channel(self) -> Self {
        let mut client = self.open().await;
        client.call(1, channel::Open::default()).await;
        client
    }

    /// Shakes hands up to the broker's `connection.start`.
    pub async fn until_start(&mut self) -> connection::Start {
        self.send_octets(PROTOCOL_HEADER).await;
        self.expect(0).await
    }

    /// Shakes hands up to the broker's `connection.tune`.
    pub async fn until_tune(&mut self) -> connection::Tune {
        self.until_start().await;
        let start_ok = self.start_ok();
        self.call_start_ok(start_ok).await
    }

    /// Answers `connection.start`, and gives the `connection.tune` that comes next.
    pub async fn call_start_ok(&mut self, start_ok: connection::StartOk) -> connection::Tune {
        self.send(0, start_ok).await;
        self.expect(0).await
    }

    /// The answer to `connection.start` with the parameters' credentials, announcing every
    /// capability.
    pub fn start_ok(&self) -> connection::StartOk {
        let credentials = &self.parameters.credentials;
        let (user, password) = (credentials.user(), credentials.password().expose(str::to_owned));
        connection::StartOk::default()
            .client_properties(capabilities(&[
                "authentication_failure_close",
                "basic.nack",
                "connection.blocked",
                "consumer_cancel_notify",
                "exchange_exchange_bindings",
                "publisher_confirms",
            ]))
            .mechanism("PLAIN")
            .response(format!("\0{user}\0{password}"))
            .locale("en_US")
    }

    /// The answer to `connection.tune` that accepts what RabbitMQ proposes, but for heartbeats.
    pub fn tune_ok(&self) -> connection::TuneOk {
        connection::TuneOk::default().channel_max(2047).frame_max(FRAME_MAX).heartbeat(0)
    }

    /// The `connection.open` of the parameters' virtual host.
    pub fn virtual_host(&self) -> connection::Open {
        connection::Open::default().virtual_host(self.parameters.virtual_host.as_str())
    }
}

/// Asking.
impl<T: Transport> Client<T> {
    /// Sends a method and awaits the one that answers it.
    pub async fn call<M: Request + Into<Method>>(&mut self, channel: u16, method: M) -> M::Reply
    where
        M::Reply: ProtocolMethod + TryFrom<Method>,
    {
        self.send(channel, method).await;
        self.expect(channel).await
    }

    /// Sends `basic.publish` and its content, without properties.
    pub async fn publish(&mut self, channel: u16, exchange: &str, routing_key: &str, body: impl AsRef<[u8]>) {
        self.publish_with(channel, exchange, routing_key, &Properties::default(), body).await;
    }

    /// Sends `basic.publish` and its content.
    pub async fn publish_with(
        &mut self,
        channel: u16,
        exchange: &str,
        routing_key: &str,
        properties: &Properties,
        body: impl AsRef<[u8]>,
    ) {
        let publish = basic::Publish::default().exchange(exchange).routing_key(routing_key);
        self.send_content_with(channel, publish, properties, body.as_ref()).await;
    }

    /// Sends a content header without properties, announcing a body of this size.
    pub async fn send_header(&mut self, channel: u16, body_size: usize) {
        self.send_octets(&frames::header_octets(channel, body_size, &Properties::default())).await;
    }

    /// Sends one body frame.
    pub async fn send_body(&mut self, channel: u16, octets: &[u8]) {
        self.send_frame(frames::BODY, channel, octets).await;
    }

    /// Closes the connection as a client should, and sees that nothing else was on its way. After
    /// its answer the broker leaves it to the client to hang up.
    pub async fn close(mut self) {
        let close = connection::Close::default().reply_code(ReplyCode::REPLY_SUCCESS).reply_text("done");
        self.call(0, close).await;
    }
}

/// Client properties that announce these capabilities.
pub fn capabilities(names: &[&str]) -> FieldTable {
    let announced: FieldTable = names.iter().map(|&name| (name, FieldValue::Bool(true))).collect();
    FieldTable::from([("capabilities", FieldValue::Table(announced))])
}
