//! What a client expects of a broker.

use leveret::protocol::{Method, MethodId, basic, channel, connection};

use super::Client;
use crate::frames::Received;
use crate::peer::Content;
use crate::transport::Transport;

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

impl<T: Transport> Client<T> {
    /// The next thing is a delivery.
    pub async fn expect_delivery(&mut self, channel: u16) -> (basic::Deliver, Content) {
        (self.expect(channel).await, self.expect_content(channel).await)
    }

    /// The next thing is a close of a channel or of the connection. It is left unanswered.
    pub async fn expect_close(&mut self) -> Close {
        let text = |text: &leveret::ShortString| text.to_str().expect("a reply text is UTF-8").to_owned();
        match self.next().await {
            Some(Received::Method(0, Method::ConnectionClose(close))) => Close::connection(
                close.reply_code.code(),
                text(&close.reply_text),
                MethodId::new(close.class_id, close.method_id),
            ),
            Some(Received::Method(channel, Method::ChannelClose(close))) => {
                let method = MethodId::new(close.class_id, close.method_id);
                Close::channel(channel, close.reply_code.code(), text(&close.reply_text), method)
            }
            other => panic!("expected a close, got {other:?}"),
        }
    }

    /// The next thing is this close, and the broker hangs up once it is answered.
    pub async fn expect_connection_close(&mut self, code: u16, text: &str, method: MethodId) {
        assert_eq!(self.expect_close().await, Close::connection(code, text, method));
        self.send(0, connection::CloseOk::default()).await;
        self.expect_end().await;
    }

    /// The next thing is this close of a channel, which is answered.
    pub async fn expect_channel_close(&mut self, channel: u16, code: u16, text: &str, method: MethodId) {
        assert_eq!(self.expect_close().await, Close::channel(channel, code, text, method));
        self.send(channel, channel::CloseOk::default()).await;
    }
}
