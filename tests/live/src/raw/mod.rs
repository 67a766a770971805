//! A peer that speaks frames to the broker over a socket, one step at a time: for what a client cannot or will not send.
//!
//! ```no_run
//! # use leveret_live_tests::raw::{Close, Raw};
//! # use leveret::protocol::{MethodId, basic, queue};
//! # async fn scenario() {
//! let mut peer = Raw::open_channel().await;
//! peer.call(1, queue::Declare::default().queue("q").exclusive(true)).await;
//! peer.publish(1, "", "q", "hello").await;
//! peer.send(1, basic::Ack::default().delivery_tag(7)).await;
//! let refusal = Close::channel(1, 406, "PRECONDITION_FAILED - unknown delivery tag 7", MethodId::new(60, 80));
//! assert_eq!(peer.expect_close().await, refusal);
//! # }
//! ```

mod receiving;
mod sending;

use leveret::frame::Encoder;
use leveret::protocol::{Method, MethodId, channel, connection, constants};
use leveret::{ConnectionParameters, FieldTable, FieldValue, Properties};
use tokio::net::TcpStream;

pub use sending::{method_octets, publish_octets};

use crate::{parameters, soon};

/// Octets of a frame that the peer sends, if nothing else was negotiated.
const FRAME_MAX: u32 = 128 * 1024;

/// A connection to a broker of which every octet is the scenario's.
pub struct Raw {
    stream: TcpStream,
    input: Vec<u8>,
    encoder: Encoder,
    parameters: ConnectionParameters,
}

/// Something that came from the broker.
#[derive(Debug, PartialEq)]
pub enum Received {
    /// A method, and its channel.
    Method(u16, Method),
    /// The header of content: its channel, the octets of its body, and its properties.
    Header(u16, u64, Box<Properties>),
    /// A piece of a body, and its channel.
    Body(u16, Vec<u8>),
    /// A sign of life.
    Heartbeat,
}

/// A `channel.close` or `connection.close` that came from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The channel that is closed; 0 stands for the whole connection.
    pub channel: u16,
    /// The reply code.
    pub code: u16,
    /// The whole reply text.
    pub text: String,
    /// The method that is at fault; 0.0 where none is.
    pub method: MethodId,
}

/// A message that came from the broker, behind the method that announced it.
#[derive(Debug, PartialEq)]
pub struct Content {
    /// Its properties.
    pub properties: Properties,
    /// Its body.
    pub body: Vec<u8>,
    /// The octets in each body frame.
    pub pieces: Vec<usize>,
}

impl Close {
    /// No method at all, as a close says that answers to none.
    pub const NO_METHOD: MethodId = MethodId::new(0, 0);

    /// The close of a channel.
    pub fn channel(channel: u16, code: u16, text: impl Into<String>, method: MethodId) -> Self {
        Self { channel, code, text: text.into(), method }
    }

    /// The close of the connection.
    pub fn connection(code: u16, text: impl Into<String>, method: MethodId) -> Self {
        Self::channel(0, code, text, method)
    }
}

/// Connecting and shaking hands.
impl Raw {
    /// A socket to the shared broker, on which nothing was said.
    pub async fn connect() -> Self {
        Self::connect_to(parameters()).await
    }

    /// A socket to another broker, or one for another user or virtual host.
    pub async fn connect_to(parameters: ConnectionParameters) -> Self {
        let address = crate::address(&parameters);
        let stream = soon(TcpStream::connect(address)).await.expect("the broker listens");
        stream.set_nodelay(true).expect("a socket has this option");
        Self { stream, input: Vec::new(), encoder: Encoder::new(FRAME_MAX), parameters }
    }

    /// A connection that is open, without heartbeats.
    pub async fn open() -> Self {
        Self::open_to(parameters()).await
    }

    /// The same to another broker, user or virtual host.
    pub async fn open_to(parameters: ConnectionParameters) -> Self {
        let mut peer = Self::connect_to(parameters).await;
        peer.until_tune().await;
        let tune_ok = peer.tune_ok();
        peer.send(0, tune_ok).await;
        let open = peer.virtual_host();
        peer.call(0, open).await;
        peer
    }

    /// A connection that is open, and channel 1 on it.
    pub async fn open_channel() -> Self {
        Self::open_channel_to(parameters()).await
    }

    /// The same to another broker, user or virtual host.
    pub async fn open_channel_to(parameters: ConnectionParameters) -> Self {
        let mut peer = Self::open_to(parameters).await;
        peer.call(1, channel::Open::default()).await;
        peer
    }

    /// Shakes hands up to the broker's `connection.start`.
    pub async fn until_start(&mut self) -> connection::Start {
        self.send_octets(&constants::PROTOCOL_HEADER).await;
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

    /// The answer to `connection.start` with the parameters' credentials, announcing every capability.
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

    /// From now on content is split at this size of a frame.
    pub fn set_frame_max(&mut self, frame_max: u32) {
        self.encoder = Encoder::new(frame_max);
    }
}

/// Client properties that announce these capabilities.
pub fn capabilities(names: &[&str]) -> FieldTable {
    let announced: FieldTable = names.iter().map(|&name| (name, FieldValue::Bool(true))).collect();
    FieldTable::from([("capabilities", FieldValue::Table(announced))])
}
