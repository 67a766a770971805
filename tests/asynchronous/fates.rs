//! Transports that take little, that pass a part on and fail, and that are cut at each place while
//! the client closes: nothing that the peer has read was "not sent", and a close that is `Ok` lost
//! nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use leveret::frame::{Decoded, Decoder, FrameKind, split_method};
use leveret::protocol::{ProtocolMethod, connection};
use leveret::{Connection, ConnectionParameters, Error};
use leveret_test_support::frames::octets_of_method as method_octets;
use leveret_test_support::{FRAME_MAX, Peer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::client::parameters;
use super::steps::publisher;

const CAPACITY: usize = 64 * 1024;

/// What a transport does with what it is given, once its allowance is spent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Over {
    /// It passes a part of one write on, or all of it, and fails.
    Fails,
    /// It takes everything, and passes nothing on.
    Swallows,
    /// It takes nothing more.
    Stalls,
    /// It takes so many bytes at a time, one write every ten milliseconds.
    Paces(usize),
}

/// A transport with an allowance.
struct Limited {
    stream: Option<DuplexStream>,
    over: Over,
    allowance: Arc<AtomicUsize>,
    pause: Pin<Box<Sleep>>,
}

impl AsyncRead for Limited {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_read(context, buffer),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Limited {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let allowed = this.allowance.load(Ordering::Relaxed);
        let Some(stream) = &mut this.stream else { return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) };
        let mut passing = octets.len().min(allowed);
        if let (Over::Paces(most), true) = (this.over, passing < octets.len()) {
            ready!(this.pause.as_mut().poll(context));
            this.pause.as_mut().reset(Instant::now() + Duration::from_millis(10));
            passing = octets.len().min(most);
            return Pin::new(stream).poll_write(context, &octets[..passing]);
        }
        if passing > 0 {
            passing = ready!(Pin::new(stream).poll_write(context, &octets[..passing]))?;
            this.allowance.fetch_sub(passing, Ordering::Relaxed);
        }
        let is_all = passing == octets.len() && (passing < allowed || this.over != Over::Fails);
        match this.over {
            _ if is_all => Poll::Ready(Ok(passing)),
            Over::Fails => {
                this.stream = None;
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
            Over::Swallows => {
                this.stream = None;
                Poll::Ready(Ok(octets.len()))
            }
            Over::Stalls | Over::Paces(_) if passing > 0 => Poll::Ready(Ok(passing)),
            Over::Stalls | Over::Paces(_) => Poll::Pending,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream = None;
        Poll::Ready(Ok(()))
    }
}

/// What a peer has read.
struct Read {
    octets: Vec<u8>,
    /// A `connection.close` is among it.
    closes: bool,
}

/// Reads everything, and agrees to a close.
async fn read_all(mut stream: DuplexStream) -> Read {
    let (mut read, mut at) = (Read { octets: Vec::new(), closes: false }, 0);
    let decoder = Decoder::new(FRAME_MAX);
    while stream.read_buf(&mut read.octets).await.is_ok_and(|count| count > 0) {
        while let Decoded::Frame(frame, taken) = decoder.decode(&read.octets[at..]).unwrap() {
            let closes = frame.kind == FrameKind::Method
                && split_method(frame.payload).is_ok_and(|(id, _)| id == connection::Close::ID);
            at += taken;
            if closes {
                read.closes = true;
                let agreed = stream.write_all(&method_octets(0, &connection::CloseOk::default())).await;
                drop(agreed);
            }
        }
    }
    read
}

/// What came of a client that published some messages and closed.
struct Outcome {
    close: leveret::Result<()>,
    /// What the confirm of each said, and of one more that was published when all of them had left
    /// or could not.
    confirms: Vec<Error>,
    read: Read,
    /// Bytes of the allowance that were used.
    spent: usize,
}

fn body(number: usize) -> String {
    format!("<message {number:03}>")
}

impl Outcome {
    /// Publishes `messages` and one more, and closes, over a transport with this allowance from
    /// then on.
    async fn of(messages: usize, over: Over, allowance: usize, parameters: ConnectionParameters) -> Self {
        Self::on(Peer::new(CAPACITY), messages, over, allowance, parameters).await
    }

    /// The same over this pipe.
    async fn on(
        (stream, mut peer): (DuplexStream, Peer),
        messages: usize,
        over: Over,
        allowance: usize,
        parameters: ConnectionParameters,
    ) -> Self {
        let allowed = Arc::new(AtomicUsize::new(usize::MAX));
        let pause = Box::pin(tokio::time::sleep(Duration::ZERO));
        let transport = Limited { stream: Some(stream), over, allowance: Arc::clone(&allowed), pause };
        let (opened, ()) = tokio::join!(Connection::open_on(transport, parameters), peer.shake_hands());
        let connection = opened.unwrap();
        let (channel, ()) = tokio::join!(connection.open_channel(), peer.open_channel(1));
        let channel = channel.unwrap();
        let publisher = publisher(&channel, &mut peer).await;
        allowed.store(allowance, Ordering::Relaxed);
        let reading = tokio::spawn(read_all(peer.into_stream()));
        let mut waiting = Vec::new();
        for number in 0..messages {
            match publisher.publish("", "q", body(number)).await {
                Ok(confirm) => waiting.push(confirm),
                Err(error) => panic!("nothing is lost before anything was written: {error}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let last = publisher.publish("", "q", body(messages)).await;
        let close = connection.close().await;
        let mut confirms = Vec::new();
        for confirm in waiting {
            confirms.push(confirm.await.unwrap_err());
        }
        confirms.push(match last {
            Ok(confirm) => confirm.await.unwrap_err(),
            Err(refused) => refused,
        });
        let read =
            tokio::time::timeout(Duration::from_secs(3600), reading).await.expect("the transport is gone").unwrap();
        let spent = allowance - allowed.load(Ordering::Relaxed);
        Self { close, confirms, read, spent }
    }

    /// How many the peer has read, and how many not. What was not sent is among the latter.
    fn check(&self, place: &str) -> (usize, usize) {
        let read = String::from_utf8_lossy(&self.read.octets);
        for (number, error) in self.confirms.iter().enumerate() {
            assert!(error.is_not_sent() != error.is_unknown(), "{place}: {error}");
            assert!(!error.is_not_sent() || !read.contains(&body(number)), "{place}, message {number}: {error}");
        }
        match &self.close {
            Ok(()) => assert!(
                (0..self.confirms.len()).all(|number| read.contains(&body(number))),
                "{place}: it is not all there"
            ),
            Err(error) if error.is_not_sent() => assert!(!self.read.closes, "{place}: the close was read: {error}"),
            Err(error) => assert!(error.is_unknown(), "{place}: {error}"),
        }
        let arrived = (0..self.confirms.len()).filter(|number| read.contains(&body(*number))).count();
        (arrived, self.confirms.len() - arrived)
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_times_out_over_a_transport_that_takes_little_leaves_nothing_to_be_written() {
    let mut seen = (0, 0);
    for most in [1, 20, 50, 200, 500, 1000] {
        for limit in [5, 15, 35, 100] {
            let parameters = parameters().close_timeout(Duration::from_millis(limit));
            let outcome = Outcome::of(50, Over::Paces(most), 0, parameters).await;
            let (arrived, lost) = outcome.check(&format!("{most} bytes a write, closed after {limit} ms"));
            seen = (seen.0 + arrived, seen.1 + lost);
        }
    }
    assert!(seen.0 > 0 && seen.1 > 0, "some arrive and some do not: {seen:?}");
}

/// Cuts the output of a client that publishes three messages, one more, and closes, at these places
/// in these ways. Gives how many messages arrived, how many were lost, and how many "not sent" were
/// said.
async fn cut(
    pipe: impl Fn() -> (DuplexStream, Peer),
    parameters: &ConnectionParameters,
    stride: usize,
    holds_back: impl Fn(Over) -> bool,
) -> (usize, usize, usize) {
    let whole = Outcome::on(pipe(), 3, Over::Fails, usize::MAX, parameters.clone()).await;
    assert_eq!(whole.check("not cut"), (4, 0));
    whole.close.unwrap();
    let mut seen = (0, 0, 0);
    for over in [Over::Fails, Over::Swallows, Over::Stalls] {
        // The last place of all is the end of the whole output.
        for allowance in (0..whole.spent).step_by(stride).chain([whole.spent]) {
            let outcome = Outcome::on(pipe(), 3, over, allowance, parameters.clone()).await;
            let place = format!("{over:?} after {allowance} of {} bytes", whole.spent);
            let (arrived, lost) = outcome.check(&place);
            assert!(outcome.read.closes || allowance < whole.spent, "{place}: the close is in the whole output");
            // The transport had failed, or took nothing more, when the last was published.
            if arrived < 3 && holds_back(over) {
                assert!(outcome.confirms[3].is_not_sent(), "{place}: {}", outcome.confirms[3]);
            }
            let not_sent = outcome.confirms.iter().filter(|error| error.is_not_sent()).count();
            seen = (seen.0 + arrived, seen.1 + lost, seen.2 + not_sent);
            if outcome.close.is_ok() {
                // Of TLS, its own end is missing, and that alone.
                assert_eq!(outcome.read.octets, whole.read.octets, "{place}");
            }
        }
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn output_that_is_cut_at_any_place_while_the_client_closes_makes_no_false_outcome() {
    let seen = cut(|| Peer::new(CAPACITY), &parameters(), 1, |_| true).await;
    assert!(seen.0 > 0 && seen.1 > 0 && seen.2 > 0, "some arrive, some do not, and of some that is certain: {seen:?}");
}

#[cfg(feature = "tls")]
#[tokio::test(start_paused = true)]
async fn output_over_tls_that_is_cut_while_the_client_closes_makes_no_false_outcome() {
    let identity = super::secure::Identity::new();
    // TLS takes what the transport does not, and a stride is enough for the places that differ.
    let seen = cut(|| identity.pipe(), &identity.parameters(), 7, |over| over != Over::Stalls).await;
    assert!(seen.0 > 0 && seen.1 > 0 && seen.2 > 0, "some arrive, some do not, and of some that is certain: {seen:?}");
}
