//! Callbacks on an event loop, on one thread (feature `callback`): continuation-passing style, as
//! in Pika's `SelectConnection`.
//!
//! ```no_run
//! use leveret::callback::{Channel, Connection, Delivery, EventLoop};
//! use leveret::protocol::queue;
//!
//! /// The state that the handlers share.
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
//! // Step 5: a message has arrived.
//! fn handle_delivery(_: &mut App, _: &Channel<App>, delivery: Delivery<App>) {
//!     println!("{}", String::from_utf8_lossy(delivery.body()));
//!     delivery.ack().unwrap_or_else(|error| eprintln!("{error}"));
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Step 1: begin to connect, then run the loop.
//! let mut event_loop = EventLoop::new()?;
//! let connection = Connection::open(&mut event_loop, "amqp://guest:guest@localhost/%2F", on_connected)?;
//! event_loop.run(&mut App)?;
//!
//! // Something, such as Ctrl-C, has stopped the loop: close, and run it until that is done.
//! connection.close();
//! event_loop.run(&mut App)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Handlers
//!
//! A handler is a closure or a function. Each call of it borrows the state of the application
//! (`&mut S`) and gets a handle of what the call is about, so that handlers share state without
//! `Rc<RefCell<…>>`. Only [`EventLoop::run`], [`EventLoop::run_until`], [`EventLoop::pass`] and
//! [`Handlers::pass`] call handlers. They call one at a time, and never from within the method that
//! the handler is passed to.
//!
//! The handler of a request is called exactly once, whatever happens to the request: it is answered
//! or refused, it times out, or it is lost with its channel or connection. A loop that is dropped
//! does not call the handlers that are still waiting, but drops them.
//!
//! # Order
//!
//! A request is queued when it is made, and requests are sent in the order in which they were made.
//!
//! A pass of the loop first determines what is due, then calls handlers in this order:
//!
//! * the handlers of timers that are due, by their times, and in the order in which they were set
//!   if the times are equal;
//! * the handlers that other threads passed to [`Remote::call`], in the order of these calls;
//! * the handlers of answers, messages and events that have arrived. The messages of a consumer are
//!   handled in the order in which they arrived.
//!
//! If a handler makes a request or sets a [timer](Handle::call_later), that handler is called by a
//! later pass, even if the delay is zero. If a handler [stops](Handle::stop) the loop, the rest of
//! the pass follows when the loop runs again.
//!
//! # Slow handlers
//!
//! While a handler runs, everything else on its loop waits: other handlers, what arrives, what is
//! to be sent, and heartbeats. If a handler takes longer than two heartbeat intervals, the broker
//! closes the connection. Pass long work to another thread, and return its result with
//! [`Remote::call`]. Or set
//! [`driver_thread`](crate::ConnectionParameters#structfield.driver_thread): then a separate thread
//! drives the connection, and only other handlers wait.
//!
//! # Other loops
//!
//! An event loop of the program can call handlers by [`Handlers`]: see
//! [`readiness`](crate::readiness).

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
mod recovery;
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
