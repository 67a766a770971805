//! Threads: many of them on one handle, those of runtimes, and the one that drives.

use std::net::TcpListener;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use leveret::blocking::{
    Acker, Channel, ChannelEvents, Confirm, Connection, ConnectionEvents, Consumer, Delivery, GetMessage, Publisher,
    Returns,
};
use leveret::config::{Exchange, Mechanism, MechanismError, SecretOctets};
use leveret::protocol::{Method, confirm, connection, queue};
use leveret::{ConnectionParameters, Credentials, Error, ErrorKind};
use leveret_test_support::{Received, start, tune};

use super::client::{SocketPeer, connect_channel, peer};
use super::host::Host;
use super::within::in_time;

#[test]
fn handles_are_for_any_thread() {
    fn shared<T: Send + Sync + 'static>() {}
    fn cloned<T: Send + Sync + Clone + 'static>() {}
    cloned::<Connection>();
    cloned::<Channel>();
    cloned::<Publisher>();
    shared::<Consumer>();
    shared::<Confirm>();
    shared::<Delivery>();
    shared::<Acker>();
    shared::<GetMessage>();
    shared::<Returns>();
    shared::<ConnectionEvents>();
    shared::<ChannelEvents>();
}

#[test]
fn many_threads_use_one_channel_at_once() {
    const THREADS: usize = 16;
    const TURNS: usize = 50;
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let publisher = connection.open_channel().unwrap().confirm_select().unwrap();
        publisher.channel().queue_declare("q").call().unwrap();
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let channel = publisher.channel();
                    for _ in 0..TURNS {
                        let confirm = publisher.publish("", "q", "later").send().unwrap();
                        publisher.publish("", "q", "now").confirmed().unwrap();
                        channel.get("q").call().unwrap().unwrap().ack().unwrap();
                        assert_eq!(channel.queue_declare("q").call().unwrap().queue, "q");
                        confirm.wait().unwrap();
                    }
                });
            }
        });
        publisher.channel().close().unwrap();
        assert_eq!(host.messages("q"), (THREADS * TURNS, 0));
    });
}

#[test]
fn a_whole_program_runs_where_a_runtime_may_block() {
    in_time(|| {
        let host = Host::new();
        let url = host.url.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let connection = runtime.block_on(async {
            let program = tokio::task::spawn_blocking(move || {
                let connection = Connection::open(url)?;
                let channel = connection.open_channel()?;
                channel.queue_declare("q").call()?;
                channel.publish("", "q", "x").send()?;
                let mut consumer = channel.consume("q").call()?;
                consumer.try_next()?.unwrap().ack()?;
                Ok::<_, Error>(connection)
            });
            program.await.unwrap().unwrap()
        });
        // And in a task, which it holds up.
        runtime.block_on(async move {
            let task = tokio::spawn(async move {
                let channel = connection.open_channel().unwrap();
                assert_eq!(channel.queue_declare("q").call().unwrap().message_count, 0);
                channel
            });
            // All handles go within the runtime.
            drop(task.await.unwrap());
        });
        host.until_left();
    });
}

#[test]
fn handles_that_are_dropped_with_a_runtime_panic_nowhere() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.spawn(async move {
            let _channel = connection.open_channel().unwrap();
            std::future::pending::<()>().await;
        });
        runtime.block_on(tokio::task::yield_now());
        drop(runtime);
        host.until_left();
    });
}

/// A port at which somebody connects, and nobody ever answers.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// What a call came to on the thread that drives a connection.
type Tried = mpsc::Receiver<Result<(), Error>>;

/// Checks that it was refused at once, before the test is out of patience.
fn expect_refusal(tried: &Tried) {
    let error = tried.recv().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("another thread")), "{error:?}");
}

/// Tries calls that would have to wait, when it is woken.
struct CallsWhenWoken {
    channel: Channel,
    silent: String,
    tried: mpsc::Sender<Result<(), Error>>,
}

impl Wake for CallsWhenWoken {
    fn wake(self: Arc<Self>) {
        let channel = &self.channel;
        self.tried.send(channel.queue_declare("q").call().map(drop)).unwrap();
        self.tried.send(channel.connection().open_channel().map(drop)).unwrap();
        self.tried.send(channel.events().next_timeout(Duration::MAX).map(drop)).unwrap();
        self.tried.send(Err(channel.wait_closed())).unwrap();
        self.tried.send(Connection::open(self.silent.as_str()).map(drop)).unwrap();
    }
}

#[test]
fn a_waker_that_calls_is_refused_on_the_thread_that_drives_and_harms_nothing() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let channel = connection.open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        let (sender, tried) = mpsc::channel();
        let (_listener, silent) = silent();
        let waker = Waker::from(Arc::new(CallsWhenWoken { channel: channel.clone(), silent, tried: sender }));
        let mut consumer = channel.consume("q").call().unwrap().into_async();
        let mut next = Box::pin(consumer.try_next());
        assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        connection.open_channel().unwrap().publish("", "q", "x").send().unwrap();
        for _ in 0..5 {
            expect_refusal(&tried);
        }
        drop(next);
        assert_eq!(channel.queue_declare("q").call().unwrap().queue, "q");
    });
}

/// A mechanism that would need another connection.
struct Calls {
    silent: String,
    other: Channel,
    tried: mpsc::Sender<Result<(), Error>>,
}

impl Mechanism for Calls {
    fn name(&self) -> &str {
        "X-CALLS"
    }

    fn begin(&self) -> Box<dyn Exchange> {
        self.tried.send(Connection::open(self.silent.as_str()).map(drop)).unwrap();
        self.tried.send(self.other.returns().next_timeout(Duration::MAX).map(drop)).unwrap();
        Box::new(|_: Option<&[u8]>| -> Result<SecretOctets, MechanismError> { Ok("response".into()) })
    }
}

#[test]
fn a_mechanism_that_calls_is_refused_and_the_open_goes_on() {
    in_time(|| {
        let host = Host::new();
        let other = host.connect().open_channel().unwrap();
        other.queue_declare("q").call().unwrap();
        let (parameters, script) = peer(async |mut peer: SocketPeer| {
            peer.expect_protocol_header().await;
            peer.send(0, start("X-CALLS")).await;
            peer.expect::<connection::StartOk>(0).await;
            peer.send(0, tune()).await;
            peer.expect::<connection::TuneOk>(0).await;
            peer.expect::<connection::Open>(0).await;
            peer.send(0, connection::OpenOk::default()).await;
            peer.agree_to_close().await;
        });
        let (tried, refused) = mpsc::channel();
        let (_listener, silent) = silent();
        let mechanism = Calls { silent, other: other.clone(), tried };
        let connection = Connection::open(parameters.credentials(Credentials::mechanism(mechanism))).unwrap();
        connection.close().unwrap();
        expect_refusal(&refused);
        expect_refusal(&refused);
        script.end();
        other.queue_declare("q").call().unwrap();
    });
}

/// A body that holds the last handle of its connection, and tries it when it is freed.
struct Last {
    channel: Mutex<Option<Channel>>,
    tried: mpsc::Sender<Result<(), Error>>,
}

impl AsRef<[u8]> for Last {
    fn as_ref(&self) -> &[u8] {
        &[7; 100_000]
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        let channel = self.channel.get_mut().unwrap().take().unwrap();
        self.tried.send(channel.queue_declare("q").call().map(drop)).unwrap();
        drop(channel);
        self.tried.send(Ok(())).unwrap();
    }
}

#[test]
fn the_last_handle_may_go_on_the_thread_that_drives() {
    in_time(|| {
        let (connection, channel, script) = connect_channel(
            |parameters| parameters,
            async |mut peer: SocketPeer| {
                peer.expect::<confirm::Select>(1).await;
                peer.send(1, confirm::SelectOk::default()).await;
                peer.expect_publish(1).await;
                // The handles that are left are in the body, which goes when it is written.
                while let Some(received) = peer.receive().await {
                    match received {
                        Received::Method(0, _) => peer.send(0, connection::CloseOk::default()).await,
                        Received::Method(1, Method::QueueDeclare(_)) => {
                            peer.send(1, queue::DeclareOk::default()).await;
                        }
                        _ => {}
                    }
                }
            },
        );
        let (sender, tried) = mpsc::channel();
        let last = Last { channel: Mutex::new(Some(channel.clone())), tried: sender };
        let publisher = channel.confirm_select().unwrap();
        drop(publisher.publish("", "q", Bytes::from_owner(last)).send().unwrap());
        drop((connection, channel, publisher));
        // On whichever thread the body goes, it waits for nothing that it holds up itself.
        drop(tried.recv().unwrap());
        tried.recv().unwrap().unwrap();
        script.end();
    });
}

#[test]
fn a_panic_of_a_mechanism_fails_the_open_and_nothing_else() {
    struct Panics;
    impl Mechanism for Panics {
        fn name(&self) -> &str {
            "PLAIN"
        }
        fn begin(&self) -> Box<dyn Exchange> {
            panic!("this is the panic of a mechanism")
        }
    }
    in_time(|| {
        let host = Host::new();
        let parameters = ConnectionParameters::from_url(&host.url).unwrap();
        let error = Connection::open(parameters.credentials(Credentials::mechanism(Panics))).unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
        host.until_left();
        host.connect().close().unwrap();
    });
}

#[test]
fn a_thread_that_is_unparked_for_something_else_goes_on_waiting() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let channel = connection.open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        let waiting = thread::spawn(move || {
            let mut consumer = channel.consume("q").call().unwrap();
            consumer.try_next().unwrap().unwrap().ack().unwrap();
        });
        for _ in 0..1000 {
            waiting.thread().unpark();
            thread::yield_now();
        }
        assert!(!waiting.is_finished());
        connection.open_channel().unwrap().publish("", "q", "x").send().unwrap();
        waiting.join().unwrap();
    });
}
