//! Callbacks on an event loop, on one thread (feature `callback`): continuation-passing style, as
//! in Pika's `SelectConnection`.
//!
//! ```no_run
//! use leveret::callback::{Channel, Connection, Delivery, EventLoop};
//! use leveret::protocol::queue;
//!
//! /// What the handlers share.
//! struct App;
//!
//! // Step 2: the connection is open.
//! fn on_connected(_: &mut App, connection: &Connection<App>, opened: leveret::Result<()>) {
//!     match opened {
//!         Ok(()) => connection.open_channel(on_channel_open),
//!         Err(error) => eprintln!("{error}"),
//!     }
//! }
//!
//! // Step 3: the channel is open.
//! fn on_channel_open(_: &mut App, _: &Connection<App>, channel: leveret::Result<Channel<App>>) {
//!     if let Ok(channel) = channel {
//!         channel.queue_declare("test").durable(true).then(on_queue_declared);
//!     }
//! }
//!
//! // Step 4: the queue is declared.
//! fn on_queue_declared(_: &mut App, channel: &Channel<App>, declared: leveret::Result<queue::DeclareOk>) {
//!     if declared.is_ok() {
//!         channel.consume("test").each(handle_delivery);
//!     }
//! }
//!
//! // Step 5: a message.
//! fn handle_delivery(_: &mut App, _: &Channel<App>, delivery: Delivery<App>) {
//!     println!("{}", String::from_utf8_lossy(delivery.body()));
//!     delivery.ack().unwrap_or_else(|error| eprintln!("{error}"));
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Step 1: begin to connect; then the loop.
//! let mut event_loop = EventLoop::new()?;
//! let connection = Connection::open(&mut event_loop, "amqp://guest:guest@localhost/%2F", on_connected)?;
//! event_loop.run(&mut App)?;
//!
//! // Something has stopped it, Ctrl-C say: close, and run until that is done.
//! connection.close();
//! event_loop.run(&mut App)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Handlers
//!
//! Each handler is lent the state of the application, `&mut S`, and a handle of what it is about:
//! nobody needs `Rc<RefCell<…>>`. Handlers are called by [`EventLoop::run`] and
//! [`EventLoop::pass`] alone, one at a time, and never from within the call that they are given to.
//! One that is given to a call is called once, whatever becomes of the call: it is answered or
//! refused, times out, or is lost with its channel or connection. A loop that is dropped calls none
//! of those that wait, and drops them.
//!
//! Requests go out in the order in which they are made, when they are made. The handlers that a
//! handler sets off are called by a later pass, a [timer](Handle::call_later) with no delay
//! included.
//!
//! # Slow handlers
//!
//! While a handler runs, everything else on its loop waits: other handlers, what arrives, what is
//! to be sent, and heartbeats. One that takes longer than two heartbeat intervals costs the
//! connection: the broker closes it. Give long work to another thread, and come back by
//! [`Remote::call`]; or set
//! [`driver_thread`](crate::ConnectionParameters#structfield.driver_thread), with which a thread of
//! its own drives the connection, and only handlers wait for handlers.
//!
//! # Other loops
//!
//! [`Handlers`] calls handlers in a loop of somebody else's: see [`readiness`](crate::readiness).

mod call;
mod channel;
mod connection;
mod consume;
mod delivery;
mod event_loop;
mod events;
mod get;
mod handle;
mod publish;
mod requests;
mod tasks;
mod timers;

pub use call::{Call, SendMethod};
pub use channel::Channel;
pub use connection::Connection;
pub use consume::{Consume, Consumer};
pub use delivery::Delivery;
pub use event_loop::{EventLoop, Handlers};
pub use get::{Get, GetMessage};
pub use handle::{Handle, Remote};
pub use publish::{Publish, Publisher};
pub use timers::Timer;
