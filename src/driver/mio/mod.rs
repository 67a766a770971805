//! Waiting for sockets by the selector of the system (epoll, kqueue, IOCP), and the threads that do
//! so.

mod driving;
mod selector;
mod sleeper;
mod thread;

pub(crate) use driving::{Driving, is_driver};
pub(crate) use selector::Selector;
pub(crate) use sleeper::Sleeper;
pub(crate) use thread::on_thread;
