//! What the broker says when it refuses something, to the last letter.

use std::fmt::Debug;

use leveret::protocol::{ChannelMethod, Method, Request};
use leveret::{Error, ErrorKind, ReplyCode};
use leveret_live_tests::client::{Channel, Connection};
use leveret_live_tests::{assert_closed_by_broker, soon};

/// The broker closed a channel over this method, with this code and exactly this text.
#[track_caller]
pub(crate) fn assert_channel_refusal(error: &Error, method: &str, code: ReplyCode, text: &str) {
    assert_closed_by_broker(error, ErrorKind::ChannelClosed, code);
    assert_eq!(error.reply_text(), Some(shortened(text)));
    assert_eq!(error.method(), Some(method), "{error}");
}

/// The broker closed the connection over this method, with this code and exactly this text.
#[track_caller]
pub(crate) fn assert_connection_refusal(error: &Error, method: &str, code: ReplyCode, text: &str) {
    assert_closed_by_broker(error, ErrorKind::ConnectionClosed, code);
    assert_eq!(error.reply_text(), Some(shortened(text)));
    assert_eq!(error.method(), Some(method), "{error}");
}

/// Makes a call on a channel of its own, and gives what the broker closed that channel, or the
/// connection, for.
pub(crate) async fn refused<R>(connection: &Connection, request: R) -> Error
where
    R: Request + ChannelMethod + Into<Method> + Send + 'static,
    R::Reply: TryFrom<Method> + Debug + Send + 'static,
{
    let channel = soon(connection.open_channel()).await.expect("the connection goes on");
    soon(channel.call(request)).await.expect_err("the broker refuses it")
}

/// Gets from a queue on a channel of its own, and gives what the broker closed that channel for.
pub(crate) async fn refused_get(connection: &Connection, queue: &str) -> Error {
    let channel = soon(connection.open_channel()).await.expect("the connection goes on");
    soon(channel.get(queue)).await.expect_err("the broker refuses it")
}

/// What the broker closed a channel, or its connection, for after something that has no answer.
pub(crate) async fn refused_on(channel: &Channel) -> Error {
    soon(channel.basic_qos()).await.expect_err("the broker has closed the channel")
}

/// The text that says that there is no such queue.
pub(crate) fn no_queue(name: &str) -> String {
    format!("NOT_FOUND - no queue '{name}' in vhost '/'")
}

/// The text that keeps others from an exclusive queue.
pub(crate) fn locked(name: &str) -> String {
    format!(
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}' in vhost '/'. It could be originally \
         declared on another connection or the exclusive property value does not match that of the original declaration."
    )
}

/// What is left of a text that has to be a short string: the broker ends it with an ellipsis.
pub(crate) fn shortened(text: &str) -> String {
    if text.len() <= 255 { text.to_owned() } else { format!("{}...", &text[..252]) }
}
