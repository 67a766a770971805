//! Waiting for sockets by the selector of the system (epoll, kqueue, IOCP), and threads that do
//! nothing else.

mod selector;
mod thread;

pub(crate) use selector::Selector;
pub(crate) use thread::{is_driver, on_thread};
