//! Both ends of a connection, scripted: the same scripts on a runtime and on plain threads.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use leveret::ConnectionParameters;
use leveret_test_support::broker::obliging;
use leveret_test_support::client::{Client, Close};
use leveret_test_support::protocol::{MethodId, ProtocolMethod, basic, channel, connection, queue};
use leveret_test_support::transport::{Blocking, Transport, run_blocking};
use leveret_test_support::{FRAME_MAX, Peer};

/// A body that takes three frames.
fn body() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(2 * FRAME_MAX as usize).collect()
}

async fn serve<T: Transport>(mut peer: Peer<T>) {
    peer.shake_hands().await;
    peer.open_channel(1).await;
    assert_eq!(peer.expect::<queue::Declare>(1).await.queue, "q");
    peer.send(1, queue::DeclareOk::default().queue("q")).await;
    let published = peer.expect_publish(1).await;
    assert_eq!((published.publish.routing_key.as_bytes(), published.body), (&b"q"[..], body()));
    peer.send_heartbeat().await;
    let deliver = basic::Deliver::default().consumer_tag("c").delivery_tag(1);
    peer.send_content(1, deliver, &body()).await;
    let at_fault = basic::Publish::ID;
    let close = channel::Close::default().reply_text("no").class_id(at_fault.class).method_id(at_fault.method);
    peer.send(1, close).await;
    peer.expect::<channel::CloseOk>(1).await;
    assert_eq!(peer.expect::<connection::Close>(0).await.reply_text, "done");
    peer.send(0, connection::CloseOk::default()).await;
    peer.expect_end().await;
}

async fn ask<T: Transport>(client: Client<T>) {
    let mut client = client.open_channel().await;
    assert_eq!(client.call(1, queue::Declare::default().queue("q")).await.queue, "q");
    client.publish(1, "", "q", body()).await;
    let (deliver, content) = client.expect_delivery(1).await;
    assert_eq!((deliver.delivery_tag, content.body), (1, body()));
    assert_eq!(content.pieces, [FRAME_MAX as usize - 8, FRAME_MAX as usize - 8, 16]);
    client.expect_channel_close(1, 0, "no", basic::Publish::ID).await;
    client.close().await;
}

#[tokio::test]
async fn a_script_runs_over_a_pipe_of_the_runtime() {
    let (stream, peer) = Peer::new(1000);
    tokio::join!(serve(peer), ask(Client::on(stream, ConnectionParameters::default())));
}

/// Both ends of a socket.
fn sockets() -> (Blocking<TcpStream>, Blocking<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (Blocking(listener.accept().unwrap().0), Blocking(client))
}

#[test]
fn the_same_script_runs_over_a_socket_without_a_runtime() {
    let (server, client) = sockets();
    let served = thread::spawn(|| run_blocking(serve(Peer::on(server))));
    run_blocking(ask(Client::on(client, ConnectionParameters::default())));
    served.join().unwrap();
}

#[test]
fn a_broker_obliges_on_a_plain_thread() {
    let (server, client) = sockets();
    let mut peer = Peer::on(server);
    let served = thread::spawn(move || {
        run_blocking(async {
            peer.shake_hands().await;
            let (heard, obliging) = obliging(peer, false);
            obliging.await;
            heard.answered()
        })
    });
    run_blocking(async {
        let mut client = Client::on(client, ConnectionParameters::default()).open_channel().await;
        client.call(1, basic::Consume::default().queue("q").consumer_tag("c")).await;
        assert_eq!(client.expect_delivery(1).await.1.body, b"pushed");
        assert_eq!(client.expect_delivery(1).await.0.delivery_tag, 2);
        client.close().await;
    });
    assert_eq!(served.join().unwrap(), ["channel.open", "basic.consume", "connection.close"]);
}

#[test]
#[should_panic(expected = "nothing arrives within 10ms")]
fn a_thread_does_not_wait_for_ever() {
    let (server, _client) = sockets();
    run_blocking(Peer::on(server).patience(Duration::from_millis(10)).shake_hands());
}

#[test]
fn a_socket_is_ended_in_one_direction_and_read_in_the_other() {
    let (server, client) = sockets();
    let (mut peer, mut client) = (Peer::on(server), Client::on(client, ConnectionParameters::default()));
    run_blocking(async {
        client.end().await;
        peer.expect_end().await;
        peer.send(0, connection::Close::default().reply_code(320).reply_text("gone")).await;
        assert_eq!(client.expect_close().await, Close::connection(320, "gone", MethodId::new(0, 0)));
    });
}
