//! What arrives without having been asked for: events, messages that came back, and the end.

use leveret::{ChannelEvent, ConnectionEvent, Error, Returned};
use leveret::{asynchronous, blocking};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use super::Answer;
use super::threads::Lent;

/// Why something ended, once it has.
pub type Closed = Answer<'static, Error>;

/// The end that a handler is called with; `begin` registers what it is given.
pub(super) fn closed(begin: impl FnOnce(Box<dyn FnOnce(Error) + Send>)) -> Closed {
    let (sender, receiver) = oneshot::channel();
    begin(Box::new(move |why| drop(sender.send(why))));
    Box::pin(async move { receiver.await.expect("the handler of the end is called") })
}

/// A stream of the async API, an iterator of the blocking one, and handlers, as one type.
macro_rules! stream {
    ($(#[$docs:meta])* $name:ident of $item:ident) => {
        $(#[$docs])*
        pub struct $name(From<asynchronous::$name, blocking::$name, $item>);

        impl $name {
            /// The next one.
            pub async fn next(&mut self) -> Option<$item> {
                match &mut self.0 {
                    From::Async(stream) => stream.next().await,
                    From::Blocking(lent) => lent.next(Iterator::next).await,
                    From::Handler(receiver) => receiver.recv().await,
                }
            }

            /// Those that a handler is called with; `begin` registers what it is given.
            pub(super) fn handed_out(begin: impl FnOnce(HandOut<$item>)) -> Self {
                let (sender, receiver) = unbounded_channel();
                begin(Box::new(move |item| drop(sender.send(item))));
                Self(From::Handler(receiver))
            }
        }

        impl std::convert::From<asynchronous::$name> for $name {
            fn from(stream: asynchronous::$name) -> Self {
                Self(From::Async(stream))
            }
        }

        impl std::convert::From<blocking::$name> for $name {
            fn from(iterator: blocking::$name) -> Self {
                Self(From::Blocking(Lent::Here(iterator)))
            }
        }
    };
}

/// A handler that sends whatever it is called with.
pub(super) type HandOut<T> = Box<dyn Fn(T) + Send>;

/// Where items are from.
enum From<S, I, T> {
    Async(S),
    Blocking(Lent<I, Option<T>>),
    Handler(UnboundedReceiver<T>),
}

stream! {
    /// What happens to a connection.
    ConnectionEvents of ConnectionEvent
}

stream! {
    /// What happens to a channel.
    ChannelEvents of ChannelEvent
}

stream! {
    /// Messages that came back.
    Returns of Returned
}

impl Returns {
    /// How many were dropped because nobody took them in time.
    pub fn lost(&self) -> u64 {
        match &self.0 {
            From::Async(stream) => stream.lost(),
            From::Blocking(lent) => lent.here().lost(),
            From::Handler(_) => panic!("callbacks have no count of lost returns"),
        }
    }
}
