//! A broker at a port of its own, on a thread of its own.

use std::sync::mpsc;
use std::thread::JoinHandle;

use leveret::blocking::Connection;
use leveret::broker::{Broker, Settings, State};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::runtime::{Builder, Handle};

/// It ends with this.
pub(crate) struct Host {
    pub(crate) url: String,
    pub(crate) broker: Broker,
    runtime: Handle,
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
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let handle = runtime.handle().clone();
            runtime.block_on(async {
                let broker = Broker::with(settings);
                let listener = broker.listen("127.0.0.1:0").await.unwrap();
                sender.send((listener.url(), broker, handle)).unwrap();
                let _ended = ended.await;
            });
        });
        let (url, broker, runtime) = receiver.recv().unwrap();
        Self { url, broker, runtime, end: Some(end), thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.url.as_str()).unwrap()
    }

    /// How many messages are ready in a queue, and how many are delivered and unsettled.
    pub(crate) fn messages(&self, queue: &str) -> (usize, usize) {
        let queue = self.broker.state().queue("/", queue).unwrap();
        (queue.ready, queue.unacknowledged)
    }

    /// Waits until the broker is as it should be.
    pub(crate) fn until(&self, is_so: impl FnMut(&State) -> bool + Unpin) {
        self.runtime.block_on(self.broker.until(is_so));
    }

    /// Waits until as many messages are ready in a queue, and all others are settled.
    pub(crate) fn until_ready(&self, queue: &str, count: usize) {
        self.until(|state| {
            state.queue("/", queue).is_some_and(|queue| queue.ready == count && queue.unacknowledged == 0)
        });
    }

    /// Waits until nobody is connected.
    pub(crate) fn until_left(&self) {
        self.until(|state| state.connections().is_empty());
    }

    /// Where the broker runs.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Runs something where the broker runs.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    /// Has the broker at the other end of a stream.
    pub(crate) async fn serve(broker: Broker, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        // However it ends: that is what is tested.
        drop(copy_bidirectional(&mut stream, &mut broker.connect()).await);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.end.take());
        // A test that panics tells of that.
        drop(self.thread.take().unwrap().join());
    }
}
