//! The two ways to the broker: within the process, and by TCP.

use std::time::Duration;

use leveret::broker::{Broker, Settings, User};
use leveret::protocol::{basic, confirm, queue};
use leveret::{Connection, ConnectionParameters, ErrorKind, Properties};
use leveret_test_support::client::Client;
use leveret_test_support::frames::content_octets;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{by_hand, open, ready, soon};

#[tokio::test]
async fn many_connections_work_at_a_time() {
    const CONNECTIONS: usize = 200;
    let broker = Broker::new();
    let listener = broker.listen("127.0.0.1:0").await.unwrap();
    let (_connection, channel) = open(&broker).await;
    channel.queue_declare("q").await.unwrap();
    let mut jobs = tokio::task::JoinSet::new();
    for number in 0..CONNECTIONS {
        let (broker, url) = (broker.clone(), listener.url());
        jobs.spawn(async move {
            // Half of them within the process, half of them by TCP.
            let connection = match number % 2 {
                0 => Connection::open_on(broker.connect(), "amqp://localhost").await,
                _ => Connection::open(url).await,
            }
            .unwrap();
            let publisher = connection.open_channel().await.unwrap().confirm_select().await.unwrap();
            for _ in 0..10 {
                publisher.publish("", "q", "x").mandatory(true).confirmed().await.unwrap();
            }
            connection
        });
    }
    let connections = soon(jobs.join_all()).await;
    assert_eq!(broker.state().connections().len(), CONNECTIONS + 1);
    assert_eq!(ready(&broker, "q"), CONNECTIONS * 10);
    for connection in connections {
        connection.close().await.unwrap();
    }
    soon(broker.until(|state| state.connections().len() == 1)).await;
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_a_lost_connection() {
    let broker = Broker::new();
    let mut stream = broker.connect();
    stream.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
    let mut start = [0; 11];
    soon(stream.read_exact(&mut start)).await.unwrap();
    assert_eq!(start[7..], [0, 10, 0, 10], "connection.start");
    assert_eq!(broker.state().connections().len(), 1);
    drop(stream);
    soon(broker.until(|state| state.connections().is_empty())).await;
}

#[tokio::test]
async fn what_a_client_said_before_it_went_still_counts() {
    const MESSAGES: usize = 1000;
    let broker = Broker::new();
    let mut client = by_hand(&broker).open_channel().await;
    client.call(1, queue::Declare::default().queue("q")).await;
    client.call(1, confirm::Select::default()).await;
    // Each with a confirm that nobody will read: telling it fails before all is read.
    let publish = basic::Publish::default().routing_key("q");
    let burst = content_octets(1, publish, &Properties::default(), b"x", 1).repeat(MESSAGES);
    assert!(
        burst.len() > 32 * 1024 && burst.len() < 64 * 1024,
        "{} octets: more than one read, and one write",
        burst.len()
    );
    client.send_octets(&burst).await;
    drop(client);
    soon(broker.until(|state| state.connections().is_empty())).await;
    assert_eq!(ready(&broker, "q"), MESSAGES);
}

#[tokio::test]
async fn what_a_client_said_before_it_reset_its_socket_still_counts() {
    let broker = Broker::new();
    let listener = broker.listen("127.0.0.1:0").await.unwrap();
    let socket = TcpStream::connect(listener.address()).await.unwrap();
    socket.set_nodelay(true).unwrap();
    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    let mut client = Client::on(socket, ConnectionParameters::default()).open_channel().await;
    client.call(1, queue::Declare::default().queue("q")).await;
    client.call(1, basic::Consume::default().queue("q").consumer_tag("c")).await;
    let id = broker.state().connections()[0].id;
    // The broker has read everything, and sleeps. The runtime looks at no socket until this test
    // waits.
    client.call(1, queue::Declare::default().queue("elsewhere")).await;
    client.publish(1, "", "elsewhere", "x").await;
    drop(client);
    // What the broker writes now meets the reset, before the publish is reported.
    assert!(broker.state().cancel_consumer(id, 1, "c", true));
    soon(broker.until(|state| state.connections().is_empty())).await;
    assert_eq!(ready(&broker, "elsewhere"), 1);
}

#[tokio::test]
async fn the_last_words_reach_a_client_that_talks_on() {
    let broker = Broker::new();
    let listener = broker.listen("127.0.0.1:0").await.unwrap();
    let mut socket = TcpStream::connect(listener.address()).await.unwrap();
    // Closed with octets unread, a socket takes back what it said before.
    soon(socket.write_all(&[b'x'; 4 * 1024 * 1024])).await.unwrap();
    let mut said = Vec::new();
    soon(socket.read_to_end(&mut said)).await.unwrap();
    assert_eq!(said, b"AMQP\0\0\x09\x01");
}

#[tokio::test]
async fn a_client_of_another_protocol_gets_the_header_and_the_end_of_the_stream() {
    let broker = Broker::new();
    let listener = broker.listen("127.0.0.1:0").await.unwrap();
    let mut socket = TcpStream::connect(listener.address()).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    soon(socket.read_to_end(&mut said)).await.unwrap();
    assert_eq!(said, b"AMQP\0\0\x09\x01");
    drop(socket);
    soon(broker.until(|state| state.connections().is_empty())).await;
}

#[tokio::test]
async fn listeners_on_both_kinds_of_address_share_the_broker() {
    let broker = Broker::new();
    let four = broker.listen("127.0.0.1:0").await.unwrap();
    let six = broker.listen("[::1]:0").await.unwrap();
    let any = broker.listen("0.0.0.0:0").await.unwrap();
    assert_eq!(six.url(), format!("amqp://guest:guest@[::1]:{}", six.address().port()));
    assert_eq!(any.url(), format!("amqp://guest:guest@127.0.0.1:{}", any.address().port()));
    let mut connections = Vec::new();
    for listener in [&four, &six, &any] {
        connections.push(soon(Connection::open(listener.url())).await.unwrap());
    }
    assert_eq!(broker.state().connections().len(), 3);
}

#[tokio::test]
async fn a_url_names_the_users_and_virtual_hosts_that_there_are() {
    let mut settings = Settings::default();
    settings.users.clear();
    settings.virtual_hosts = vec!["a/b".to_owned()];
    let all = leveret::broker::Permissions::all();
    settings.users.insert("Jäger".to_owned(), User::new("p@ss:/").permissions("a/b", all));
    let listener = Broker::with(settings).listen("127.0.0.1:0").await.unwrap();
    let connection = soon(Connection::open(listener.url())).await.unwrap();
    soon(connection.close()).await.unwrap();
    assert!(listener.url().ends_with("/a%2Fb"), "{}", listener.url());
}

#[tokio::test]
async fn a_port_that_is_stopped_refuses_new_connections_and_keeps_the_old() {
    let broker = Broker::new();
    let listener = broker.listen("127.0.0.1:0").await.unwrap();
    let (url, address) = (listener.url(), listener.address());
    let connection = soon(Connection::open(url.as_str())).await.unwrap();
    listener.stop().await;
    let refused = soon(Connection::open(url.as_str())).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Io, "{refused}");
    soon(connection.open_channel()).await.unwrap();

    let again = broker.listen(address).await.unwrap();
    assert_eq!(again.url(), url);
    soon(Connection::open(url)).await.unwrap();
}

#[tokio::test]
async fn a_port_whose_listener_is_dropped_is_free_soon() {
    let broker = Broker::new();
    let address = broker.listen("127.0.0.1:0").await.unwrap().address();
    soon(async {
        while broker.listen(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
