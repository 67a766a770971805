//! What is done with a connection in every loop, and what polls it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use leveret::Result;
use leveret::asynchronous::Connection;

/// Small and large bodies, in an order that is the same each time.
fn length(number: usize) -> usize {
    match number % 200 {
        7 => 1024 * 1024,
        31 | 131 => 100_000,
        _ => number * 37 % 3000,
    }
}

fn body(number: usize) -> Vec<u8> {
    vec![u8::try_from(number % 251).unwrap(); length(number)]
}

/// Opens, publishes so many messages with confirms, consumes and acknowledges all of them, closes.
pub(crate) async fn session(opening: impl Future<Output = Result<Connection>>, queue: &str, messages: usize) {
    let connection = opening.await.unwrap();
    let channel = connection.open_channel().await.unwrap();
    channel.queue_declare(queue).await.unwrap();
    let publisher = channel.confirm_select().await.unwrap();
    for number in 0..messages {
        // Confirms are waited for together.
        drop(publisher.publish("", queue, body(number)).await.unwrap());
    }
    publisher.wait_for_confirms().await.unwrap();
    let mut consumer = channel.consume(queue).await.unwrap();
    for number in 0..messages {
        let delivery = consumer.try_next().await.unwrap().unwrap();
        assert!(delivery.body() == body(number), "message {number} is not what was published");
        delivery.ack().await.unwrap();
    }
    connection.close().await.unwrap();
}

/// All of them, at the same time.
pub(crate) async fn all(futures: impl IntoIterator<Item = impl Future<Output = ()>>) {
    let mut left: Vec<_> = futures.into_iter().map(Box::pin).collect();
    poll_fn(|context| {
        left.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if left.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// A future that a loop polls when it was woken.
pub(crate) struct Polled<F> {
    future: Pin<Box<F>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl<F: Future> Polled<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { future: Box::pin(future), woken: Arc::new(Woken(AtomicBool::new(true))) }
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::Acquire)
    }

    /// What it gives, if it is done.
    pub(crate) fn poll(&mut self) -> Option<F::Output> {
        if !self.woken.0.swap(false, Ordering::AcqRel) {
            return None;
        }
        let waker = Waker::from(Arc::clone(&self.woken));
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

/// The port of a broker's URL.
pub(crate) fn port(url: &str) -> u16 {
    url.parse::<leveret::ConnectionParameters>().unwrap().endpoints[0].port.unwrap()
}
