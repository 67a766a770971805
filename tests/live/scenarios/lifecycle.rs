//! Drivers on threads of their own, sockets with options, events, renewed secrets: what lives
//! beside calls and messages.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use leveret::config::{Credentials, Endpoint, Provided};
use leveret::{ChannelEvent, ConnectionEvent, ConnectionState, Initiator, Phase, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::{Operator, exclusive_queue, next, open, parameters, password, soon, unique, user};

// Real seconds are the subject here: with heartbeats of two seconds the broker gives up after six
// of silence.
#[tokio::test]
async fn a_driver_on_a_thread_of_its_own_keeps_a_program_connected_that_blocks_its_runtime() -> Result<()> {
    let connection = soon(Connection::open(parameters().heartbeat(2).driver_thread(true))).await?;
    let channel = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&channel).await;
    let mut consumer = soon(channel.consume(&queue)).await?;
    std::thread::sleep(Duration::from_secs(8));
    assert!(connection.is_open(), "{:?}", connection.closed_by());
    let publisher = soon(channel.confirm_select()).await?;
    soon(publisher.publish("", &queue, "still here").confirmed()).await?;
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.body(), b"still here");
    delivery.ack().await?;
    soon(connection.close()).await
}

#[test]
fn with_a_thread_of_its_own_a_connection_needs_no_runtime_of_the_programs() {
    let waiting = std::task::Waker::from(Arc::new(Unparks(std::thread::current())));
    let mut context = std::task::Context::from_waker(&waiting);
    let mut program = std::pin::pin!(async {
        let connection = Connection::open(parameters().driver_thread(true)).await?;
        let channel = connection.open_channel().await?;
        channel.queue_declare("").exclusive(true).await?;
        connection.close().await
    });
    let ended: Result<()> = loop {
        match program.as_mut().poll(&mut context) {
            std::task::Poll::Ready(ended) => break ended,
            std::task::Poll::Pending => std::thread::park_timeout(Duration::from_secs(30)),
        }
    };
    ended.unwrap();
}

/// Wakes a thread that waits for a future.
struct Unparks(std::thread::Thread);

impl std::task::Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[tokio::test]
async fn a_connection_with_every_option_of_its_socket_works() -> Result<()> {
    let parameters = parameters()
        .host("127.0.0.1")
        .tcp_nodelay(false)
        .tcp_keepalive_idle(Duration::from_secs(30))
        .tcp_keepalive_interval(Duration::from_secs(5))
        .tcp_keepalive_count(3)
        .tcp_user_timeout(Duration::from_secs(60))
        .tcp_send_buffer(32 * 1024)
        .tcp_receive_buffer(32 * 1024)
        .local_address(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let connection = soon(Connection::open(parameters)).await?;
    let channel = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&channel).await;
    let publisher = soon(channel.confirm_select()).await?;
    soon(publisher.publish("", &queue, vec![7; 1_000_000]).confirmed()).await?;
    assert_eq!(soon(channel.get(&queue)).await?.map(|delivery| delivery.body().len()), Some(1_000_000));
    soon(connection.close()).await
}

#[tokio::test]
async fn the_broker_is_found_behind_endpoints_that_are_not_there() -> Result<()> {
    let broker = parameters().endpoints[0].clone();
    let endpoints = [Endpoint::new("no-such-host.invalid"), Endpoint::new("127.0.0.1").with_port(1), broker];
    let connection = soon(Connection::open(parameters().endpoints(endpoints.clone()))).await?;
    soon(connection.close()).await?;

    let missing = parameters().endpoints(endpoints).virtual_host(unique("missing"));
    let error = soon(Connection::open(missing)).await.unwrap_err();
    let phases: Vec<Phase> = error.attempts().iter().map(leveret::Attempt::phase).collect();
    assert_eq!(phases[..2], [Phase::Resolve, Phase::Connect]);
    assert!(phases[2..].contains(&Phase::Handshake) && error.is_access_refused(), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_soft_error_is_an_event_of_its_channel_and_of_nothing_else() -> Result<()> {
    let (connection, channel) = open().await;
    let other = soon(connection.open_channel()).await?;
    let (mut events, mut of_channel) = (connection.events(), channel.events());
    soon(channel.queue_declare(unique("missing")).passive(true)).await.unwrap_err();
    let Some(ChannelEvent::Closed(error)) = soon(of_channel.next()).await else { panic!("it is closed") };
    assert!(error.is_not_found() && soon(channel.closed()).await.is_not_found());
    exclusive_queue(&other).await;
    assert_eq!(connection.state(), ConnectionState::Open);
    soon(connection.close()).await?;
    assert!(matches!(soon(events.next()).await, Some(ConnectionEvent::Closed(error)) if error.is_requested()));
    Ok(())
}

#[tokio::test]
async fn a_consumer_that_the_broker_cancels_is_an_event_of_its_channel() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let consumer = soon(channel.consume(&queue)).await?;
    let mut events = channel.events();
    soon(channel.queue_delete(&queue)).await?;
    let event = soon(events.next()).await;
    assert!(
        matches!(&event, Some(ChannelEvent::ConsumerCancelled(tag)) if tag == consumer.consumer_tag()),
        "{event:?}"
    );
    Ok(())
}

// Real seconds are the subject here: the secret is renewed after four fifths of two of them.
#[tokio::test]
async fn a_provider_is_asked_on_every_open_and_tells_the_broker_before_its_secret_expires() -> Result<()> {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let credentials = Credentials::provided_by(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok(Provided::from(Credentials::plain(user(), password())).valid_for(Duration::from_secs(2))) }
    });
    let connection = soon(Connection::open(parameters().credentials(credentials))).await?;
    let mut events = connection.events();
    for _ in 0..2 {
        assert!(matches!(soon(events.next()).await, Some(ConnectionEvent::SecretUpdated)));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    soon(connection.update_secret("by hand", "a scenario")).await?;
    soon(connection.close()).await
}

#[tokio::test]
async fn a_forced_close_is_retryable_and_tells_the_operators_words() -> Result<()> {
    let name = unique("forced");
    let connection = soon(Connection::open(parameters().connection_name(&name))).await?;
    let closed = connection.closed();
    let mut events = connection.events();
    Operator::shared().close_connection(&name, "a scenario").await;
    let error = soon(closed).await;
    assert_eq!((error.reply_code(), error.initiator()), (Some(ReplyCode::CONNECTION_FORCED), Some(Initiator::Broker)));
    assert!(error.is_retryable() && error.reply_text().is_some_and(|text| text.contains("a scenario")), "{error}");
    assert!(matches!(soon(events.next()).await, Some(ConnectionEvent::Closed(_))));
    Ok(())
}

#[tokio::test]
async fn amqplain_logs_in_as_plain_does() -> Result<()> {
    let connection =
        soon(Connection::open(parameters().credentials(Credentials::amqplain(user(), password())))).await?;
    soon(connection.close()).await
}

#[tokio::test]
async fn the_first_mechanism_that_the_broker_has_is_taken() -> Result<()> {
    let credentials = Credentials::external().or(Credentials::amqplain(user(), password()));
    let connection = soon(Connection::open(parameters().credentials(credentials))).await?;
    soon(connection.close()).await
}
