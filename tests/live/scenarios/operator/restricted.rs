//! A user whose permissions are few, and what somebody else declared for that user to be kept from.

use leveret::Credentials;
use leveret::protocol::{Method, MethodId, ProtocolMethod, basic, channel, exchange, queue};
use leveret_live_tests::raw::{Raw, Received};
use leveret_live_tests::{Operator, Permissions, parameters, unique};

/// A user of the shared broker with these permissions in the virtual host `/`, and a connection of
/// that user.
pub(super) struct Restricted {
    pub(super) operator: Operator,
    pub(super) user: String,
    pub(super) peer: Raw,
}

impl Restricted {
    pub(super) async fn to(configure: &str, write: &str, read: &str) -> Self {
        let operator = Operator::shared();
        let user = unique("user");
        operator.add_user(&user, "secret").await;
        operator.set_permissions(&user, "/", Permissions { configure, write, read }).await;
        let parameters = parameters().virtual_host("/").credentials(Credentials::plain(&user, "secret"));
        Self { operator, peer: Raw::open_to(parameters).await, user }
    }

    /// Sends a method, and the content where it has one, on a channel of its own; the broker
    /// refuses the user this.
    pub(super) async fn expect_refusal(&mut self, method: impl Into<Method>, what: &str) {
        let text = format!("ACCESS_REFUSED - access to {what} in vhost '/' refused for user '{}'", self.user);
        self.expect_close(method.into(), 403, &text).await;
    }

    pub(super) async fn expect_close(&mut self, method: Method, code: u16, text: &str) {
        self.peer.call(1, channel::Open::default()).await;
        self.peer.send(1, method.clone()).await;
        if method.id() == basic::Publish::ID {
            self.peer.send_header(1, 0).await;
        }
        self.peer.expect_channel_close(1, code, text, method.id()).await;
    }

    /// Sends a method on a channel of its own; the broker answers with this one.
    pub(super) async fn expect_answer(&mut self, method: impl Into<Method>, answer: MethodId) {
        self.peer.call(2, channel::Open::default()).await;
        self.peer.send(2, method).await;
        match self.peer.receive().await {
            Some(Received::Method(2, method)) => assert_eq!(method.id(), answer, "{method:?}"),
            other => panic!("expected a method, got {other:?}"),
        }
        self.peer.call(2, channel::Close::default()).await;
    }

    pub(super) async fn close(self) {
        self.peer.close().await;
        self.operator.delete_user(&self.user).await;
    }
}

/// What another user declared, under names that are not the restricted user's and names that are.
pub(super) struct Declared {
    peer: Raw,
    pub(super) queue: String,
    pub(super) exchange: String,
    pub(super) my_queue: String,
    pub(super) my_exchange: String,
}

impl Declared {
    pub(super) async fn new() -> Self {
        let mut peer = Raw::open_channel_to(parameters().virtual_host("/")).await;
        let name = unique("permissions");
        let (queue, exchange) = (format!("other.queue.{name}"), format!("other.exchange.{name}"));
        let (my_queue, my_exchange) = (format!("mine.queue.{name}"), format!("mine.exchange.{name}"));
        for queue in [&queue, &my_queue] {
            peer.call(1, queue::Declare::default().queue(queue.as_str()).durable(true)).await;
        }
        for exchange in [&exchange, &my_exchange] {
            peer.call(1, fanout(exchange)).await;
        }
        Self { peer, queue, exchange, my_queue, my_exchange }
    }

    pub(super) async fn delete(mut self) {
        for queue in [&self.queue, &self.my_queue] {
            self.peer.call(1, queue::Delete::default().queue(queue.as_str())).await;
        }
        for exchange in [&self.exchange, &self.my_exchange] {
            self.peer.call(1, exchange::Delete::default().exchange(exchange.as_str())).await;
        }
        self.peer.close().await;
    }
}

pub(super) fn fanout(name: &str) -> exchange::Declare {
    exchange::Declare::default().exchange(name.to_owned()).kind("fanout").durable(true)
}
