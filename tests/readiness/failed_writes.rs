//! Sockets that the broker has reset, after it sent its reason, while the loop looked elsewhere.

use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use leveret::protocol::{ReplyCode, confirm, connection};
use leveret::{ConnectionParameters, Initiator};
use leveret_test_support::Peer;
use leveret_test_support::transport::{Blocking, run_blocking};
use rustix::event::{PollFd, PollFlags, poll};
use socket2::SockRef;

use super::epoll::{Loop, Mode};

/// A broker at a port, which takes one connection, whose channel confirms.
fn broker() -> (u16, thread::JoinHandle<Peer<Blocking<TcpStream>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        // Without it, a small segment waits for the acknowledgement of the one before, and a reset
        // drops it.
        stream.set_nodelay(true).unwrap();
        run_blocking(async {
            let mut peer = Peer::on(Blocking(stream)).patience(Duration::from_secs(30));
            peer.shake_hands().await;
            peer.open_channel(1).await;
            peer.expect::<confirm::Select>(1).await;
            peer.send(1, confirm::SelectOk::default()).await;
            peer
        })
    });
    (port, thread)
}

/// Sends the reason of a broker that stops, and resets the connection.
fn stop(mut peer: Peer<Blocking<TcpStream>>) {
    let close = connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED).reply_text("shutdown");
    run_blocking(peer.send(0, close));
    let stream = peer.into_stream().0;
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn the_reason_of_a_broker_that_reset_its_socket_is_read_although_a_write_fails_first() {
    for mode in [Mode::Level, Mode::Edge, Mode::OneShot] {
        let (port, broker) = broker();
        let mut event_loop = Loop::new(mode);
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let kept = socket.try_clone().unwrap();
        let parameters = ConnectionParameters::default().heartbeat(0).default_prefetch(0);
        let opening = event_loop.reactor.open_on_socket(socket, parameters);
        let (connection, publisher) = event_loop.run(async {
            let connection = opening.await.unwrap();
            let publisher = connection.open_channel().await.unwrap().confirm_select().await.unwrap();
            (connection, publisher)
        });
        event_loop.settle();

        stop(broker.join().unwrap());
        poll(&mut [PollFd::new(&kept, PollFlags::HUP)], None).unwrap();
        let mut publishing = pin!(publisher.publish("", "q", "x").confirmed().into_future());
        assert!(publishing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        // The loop does not look at the socket before the write.
        event_loop.turn();
        assert!(SockRef::from(&kept).take_error().unwrap().is_none(), "the write has met the reset");
        let error = event_loop.run(publishing).unwrap_err();
        assert_eq!(error.initiator(), Some(Initiator::Broker), "{mode:?}: {error:?}");
        assert_eq!(error.reply_code(), Some(ReplyCode::CONNECTION_FORCED), "{mode:?}: {error:?}");
        assert!(!connection.is_open());
    }
}
