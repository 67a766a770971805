//! A client that speaks frames to the broker over a socket, one step at a time: for what a client
//! cannot or will not send.
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

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use leveret::protocol::basic;
use leveret::{ConnectionParameters, Properties};
use leveret_test_support::client::Client;
use leveret_test_support::frames;
use tokio::net::TcpStream;

pub use leveret_test_support::Received;
pub use leveret_test_support::client::{Close, capabilities};
pub use leveret_test_support::frames::octets_of_method as method_octets;

use crate::{parameters, soon};

/// A connection to a broker of which every octet is the scenario's.
pub struct Raw(Client<TcpStream>);

impl Deref for Raw {
    type Target = Client<TcpStream>;

    fn deref(&self) -> &Client<TcpStream> {
        &self.0
    }
}

impl DerefMut for Raw {
    fn deref_mut(&mut self) -> &mut Client<TcpStream> {
        &mut self.0
    }
}

impl Raw {
    /// A socket to the shared broker, on which nothing was said.
    pub async fn connect() -> Self {
        Self::connect_to(parameters()).await
    }

    /// A socket to another broker, or one for another user or virtual host.
    pub async fn connect_to(parameters: ConnectionParameters) -> Self {
        let stream = soon(TcpStream::connect(crate::address(&parameters))).await.expect("the broker listens");
        stream.set_nodelay(true).expect("a socket has this option");
        Self(Client::on(stream, parameters))
    }

    /// A connection that is open, without heartbeats.
    pub async fn open() -> Self {
        Self::open_to(parameters()).await
    }

    /// The same to another broker, user or virtual host.
    pub async fn open_to(parameters: ConnectionParameters) -> Self {
        Self(Self::connect_to(parameters).await.0.open().await)
    }

    /// A connection that is open, and channel 1 on it.
    pub async fn open_channel() -> Self {
        Self::open_channel_to(parameters()).await
    }

    /// The same to another broker, user or virtual host.
    pub async fn open_channel_to(parameters: ConnectionParameters) -> Self {
        Self(Self::connect_to(parameters).await.0.open_channel().await)
    }

    /// The broker hangs up within a time, and sends nothing but heartbeats before.
    pub async fn expect_end_within(&mut self, within: Duration) {
        let ended = tokio::time::timeout(within, self.expect_end()).await;
        assert!(ended.is_ok(), "the broker should hang up within {within:?}");
    }

    /// Closes the connection as a client should, and sees that nothing else was on its way.
    pub async fn close(self) {
        self.0.close().await;
    }
}

/// The octets of a message to the default exchange: method, header and body.
pub fn publish_octets(channel: u16, routing_key: &str, mandatory: bool, properties: &Properties) -> Vec<u8> {
    let publish = basic::Publish::default().routing_key(routing_key).mandatory(mandatory);
    frames::content_octets(channel, publish, properties, b"m", 1)
}
