//! A broker at a port of its own, on a thread of its own.

use std::sync::mpsc;
use std::thread::JoinHandle;

use leveret::blocking::Connection;
use leveret::broker::{Broker, Settings};

/// It ends with this.
pub(crate) struct Host {
    pub(crate) url: String,
    pub(crate) broker: Broker,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let (end, ended) = tokio::sync::oneshot::channel();
        let (sender, receiver) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let broker = Broker::with(settings);
                let listener = broker.listen("127.0.0.1:0").await.unwrap();
                sender.send((listener.url(), broker)).unwrap();
                let _ended = ended.await;
            });
        });
        let (url, broker) = receiver.recv().unwrap();
        Self { url, broker, end: Some(end), thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.url.as_str()).unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.end.take());
        self.thread.take().unwrap().join().unwrap();
    }
}
