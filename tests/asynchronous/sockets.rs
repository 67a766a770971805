//! Real sockets, in real time: a broker that dies without reading, and a client that does not run
//! for a while.
//!
//! What a thread that is blocked, or a process that is stopped, finds in its socket cannot be shown
//! in virtual time. The two tests of that take some four seconds each, and are the only ones of
//! this folder that wait.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use leveret::protocol::{Method, connection, queue};
use leveret::{Connection, ConnectionParameters};
use leveret_test_support::tune;
use tokio::runtime::{Builder, Runtime};

use super::client::parameters;
use super::host::{Frame, Line};

/// Makes a test the process that is stopped, and names the port to it.
#[cfg(unix)]
const PORT: &str = "LEVERET_TEST_PORT";

/// Longer than two heartbeat intervals, of a second each.
const PAUSE: Duration = Duration::from_secs(3);

/// How long anything may take that happens at once; longer is a failure, not a hanging test.
const PATIENCE: Duration = Duration::from_secs(60);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn at(port: u16) -> ConnectionParameters {
    parameters().host("127.0.0.1").port(port)
}

/// A broker on a thread, which does this with its only client. Gives its port.
fn host<T: Send + 'static>(talk: impl FnOnce(Line<TcpStream>) -> T + Send + 'static) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || talk(Line::begin(listener.accept().unwrap().0)));
    (port, thread)
}

/// Answers whatever opens connections and channels; gives the first frame that is for something
/// else.
fn oblige(line: &mut Line<TcpStream>, tune: &connection::Tune) -> Frame {
    loop {
        let frame = line.receive().unwrap().unwrap();
        let is_heartbeat = frame.channel == 0 && frame.method.is_none();
        if !line.oblige(&frame, tune) && !is_heartbeat {
            return frame;
        }
    }
}

#[test]
fn a_close_is_no_success_where_the_broker_dies_without_reading() {
    // What sockets on loopback hold, and much more than that.
    for (messages, size) in [(3, 10), (20, 1024 * 1024)] {
        let (die, dies) = mpsc::channel::<()>();
        let (port, broker) = host(move |mut line| {
            oblige(&mut line, &tune());
            dies.recv_timeout(PATIENCE).unwrap();
        });
        runtime().block_on(async {
            let connection = Connection::open(at(port).write_high_water(1 << 30)).await.unwrap();
            let publisher = connection.open_channel().await.unwrap().confirm_select().await.unwrap();
            let body = Bytes::from(vec![7; size]);
            let mut confirms = Vec::new();
            for _ in 0..messages {
                confirms.push(publisher.publish("", "q", &body).await.unwrap());
            }
            let dying = async {
                tokio::task::yield_now().await;
                die.send(()).unwrap();
            };
            let (closed, ()) = tokio::join!(connection.close(), dying);
            let error = closed.unwrap_err();
            assert!(error.is_unknown(), "{error}");
            assert_eq!(error.kind(), leveret::ErrorKind::ConnectionClosed, "{error}");
            assert!(connection.close().await.is_err() && !connection.is_open());
            for confirm in confirms {
                let error = confirm.await.unwrap_err();
                assert!(error.is_unknown() || error.is_not_sent(), "{error}");
            }
        });
        broker.join().unwrap();
    }
}

/// A broker that is asked for a queue, and sends heartbeats until it is let answer.
struct Beating {
    port: u16,
    asked: mpsc::Receiver<()>,
    enough: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

fn beating() -> Beating {
    let (enough, wanted) = mpsc::channel::<()>();
    let (ask, asked) = mpsc::channel::<()>();
    let (port, thread) = host(move |mut line| {
        let declare = oblige(&mut line, &tune().heartbeat(1));
        assert!(matches!(declare.method, Some(Method::QueueDeclare(_))));
        ask.send(()).unwrap();
        let mut beat = line.stream.try_clone().unwrap();
        while wanted.recv_timeout(Duration::from_millis(300)) == Err(mpsc::RecvTimeoutError::Timeout) {
            std::io::Write::write_all(&mut beat, &[8, 0, 0, 0, 0, 0, 0, 0xCE]).unwrap();
        }
        line.send(declare.channel, &queue::DeclareOk::default().queue("q"));
        while line.receive().is_ok_and(|frame| frame.is_some()) {}
    });
    Beating { port, asked, enough, thread }
}

#[test]
fn heartbeats_that_lie_in_the_socket_of_a_blocked_thread_are_not_missed() {
    let Beating { port, asked, enough, thread } = beating();
    runtime().block_on(async {
        let connection = Connection::open(at(port).heartbeat(1)).await.unwrap();
        let channel = connection.open_channel().await.unwrap();
        let blocked = async {
            // The call leaves, and the driver sleeps.
            let asking = tokio::task::spawn_blocking(move || asked.recv_timeout(PATIENCE));
            asking.await.unwrap().expect("the broker is asked");
            std::thread::sleep(PAUSE);
            // What has arrived is looked at before this goes on.
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(connection.is_open(), "{:?}", connection.closed_by());
            enough.send(()).unwrap();
        };
        let (declared, ()) = tokio::join!(channel.queue_declare("q").into_future(), blocked);
        assert_eq!(declared.unwrap().queue, "q");
    });
    thread.join().unwrap();
}

#[cfg(unix)]
#[test]
fn heartbeats_that_lie_in_the_socket_of_a_stopped_process_are_not_missed() {
    const NAME: &str = "sockets::heartbeats_that_lie_in_the_socket_of_a_stopped_process_are_not_missed";
    if let Ok(port) = std::env::var(PORT) {
        return declare_in_a_process_that_is_stopped(port.parse().unwrap());
    }
    let Beating { port, asked, enough, thread } = beating();
    let mut process = Process::run(NAME, port);
    asked.recv_timeout(PATIENCE).expect("the process asks the broker");
    process.signal("-STOP");
    std::thread::sleep(PAUSE);
    process.signal("-CONT");
    enough.send(()).unwrap();
    process.expect_success();
    thread.join().unwrap();
}

/// What the process does that is stopped.
#[cfg(unix)]
fn declare_in_a_process_that_is_stopped(port: u16) {
    runtime().block_on(async {
        let connection = Connection::open(at(port).heartbeat(1)).await.unwrap();
        let channel = connection.open_channel().await.unwrap();
        assert_eq!(channel.queue_declare("q").await.unwrap().queue, "q");
    });
}

/// This program once more, for a single test. It is killed where it has not ended by the end of the
/// test.
#[cfg(unix)]
struct Process(std::process::Child);

#[cfg(unix)]
impl Process {
    /// Runs a test that finds this port in its environment.
    fn run(test: &str, port: u16) -> Self {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(PORT, port.to_string()).stdout(std::process::Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    fn expect_success(&mut self) {
        let begin = std::time::Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < PATIENCE, "the process does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "the process has missed heartbeats");
    }
}

#[cfg(unix)]
impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is left alone.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
