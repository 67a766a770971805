//! Messages that the broker changed before it returned them: whoever published them hears that no
//! queue took them, or that this cannot be told, and never `Ok`.

use leveret::protocol::basic;
use leveret::{Confirm, Error, ErrorKind, Properties, Publisher, ReplyCode, Returns, Timestamp};
use leveret_test_support::Peer;

use super::client::{Connect as _, parameters};
use super::steps::publisher;

/// A message that a test publishes, to the exchange `x`.
struct Message {
    routing_key: &'static str,
    id: &'static str,
    body: &'static str,
}

const fn message(routing_key: &'static str, id: &'static str, body: &'static str) -> Message {
    Message { routing_key, id, body }
}

async fn publish(publisher: &Publisher, Message { routing_key, id, body }: &Message) -> Confirm {
    let properties = Properties::default().message_id(*id);
    publisher.publish("x", *routing_key, *body).properties(properties).mandatory(true).await.unwrap()
}

/// What the broker returns: the exchange is `x`, and it has stamped it where `stamped` says so.
async fn come_back(peer: &mut Peer, Message { routing_key, id, body }: &Message, stamped: bool) {
    let back = basic::Return::default().reply_code(ReplyCode::NO_ROUTE).reply_text("NO_ROUTE").exchange("x");
    let mut properties = Properties::default().message_id(*id);
    if stamped {
        properties = properties.timestamp(Timestamp::from_secs(1_764_000_000)).header("timestamp_in_ms", 1_i64);
    }
    peer.send_content_with(1, back.routing_key(*routing_key), &properties, body.as_bytes()).await;
}

/// What somebody who published hears.
#[derive(Debug, PartialEq)]
enum Hears {
    Taken,
    /// No queue took it, and here is its body as it came back.
    Returned(Vec<u8>),
    Unknown,
}

fn heard(outcome: Result<(), Error>) -> Hears {
    let Err(error) = outcome else { return Hears::Taken };
    assert_eq!(error.kind(), ErrorKind::Returned, "{error}");
    match error.returned() {
        Some(returned) => {
            assert_eq!(error.reply_code(), Some(ReplyCode::NO_ROUTE), "{error}");
            Hears::Returned(returned.message.body().to_vec())
        }
        None => {
            assert!(error.is_unknown(), "{error}");
            assert!(error.to_string().contains("outcome unknown") && error.to_string().contains("came back, changed"));
            Hears::Unknown
        }
    }
}

/// What becomes of messages of which one comes back before all are acknowledged; and how many reach
/// `returns()`.
async fn outcomes(published: &[Message], back: &Message, stamped: bool) -> (Vec<Hears>, Vec<Vec<u8>>) {
    let (_connection, channel, mut peer) = Peer::connect_channel(64 * 1024, parameters()).await;
    let publisher = publisher(&channel, &mut peer).await;
    let mut returns = channel.returns();
    let mut confirms = Vec::new();
    for message in published {
        confirms.push(publish(&publisher, message).await);
        peer.expect_publish(1).await;
    }
    come_back(&mut peer, back, stamped).await;
    peer.send(1, basic::Ack::default().delivery_tag(published.len() as u64).multiple(true)).await;
    let mut outcomes = Vec::new();
    for confirm in confirms {
        outcomes.push(heard(confirm.await));
    }
    drop((publisher, channel));
    (outcomes, collected(&mut returns).await)
}

/// The bodies of what has come back for nobody.
async fn collected(returns: &mut Returns) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let second = std::time::Duration::from_secs(1);
    while let Ok(Some(returned)) = tokio::time::timeout(second, returns.next()).await {
        bodies.push(returned.message.body().to_vec());
    }
    bodies
}

fn returned(body: &str) -> Hears {
    Hears::Returned(body.into())
}

#[tokio::test(start_paused = true)]
async fn the_one_publish_that_a_changed_message_is_fails_with_it() {
    let published = [message("nowhere", "1", "body")];
    for (back, stamped) in [
        (message("nowhere", "1", "body"), false),
        (message("nowhere", "1", "body"), true),
        (message("nowhere", "another", "body"), true),
        (message("nowhere", "another", "another"), true),
    ] {
        let (outcomes, others) = outcomes(&published, &back, stamped).await;
        assert_eq!((outcomes, others.len()), (vec![returned(back.body)], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_most_like_a_message_that_came_back_fails_with_it_and_the_rest_was_taken() {
    let published = [message("k", "1", "one"), message("k", "2", "two"), message("other", "2", "two")];
    for stamped in [false, true] {
        let (outcomes, others) = outcomes(&published, &published[1], stamped).await;
        assert_eq!((outcomes, others.len()), (vec![Hears::Taken, returned("two"), Hears::Taken], 0));
    }
    // Its identity has changed as well: exchange, routing key and body tell it.
    let (outcomes, others) = outcomes(&published, &message("k", "changed", "two"), true).await;
    assert_eq!((outcomes, others.len()), (vec![Hears::Taken, returned("two"), Hears::Taken], 0));
}

#[tokio::test(start_paused = true)]
async fn of_publishes_to_one_route_the_oldest_fails_and_the_others_are_unknown() {
    let published = [message("k", "1", "one"), message("k", "2", "two"), message("other", "2", "two")];
    let (outcomes, others) = outcomes(&published, &message("k", "3", "three"), false).await;
    assert_eq!(outcomes, [returned("three"), Hears::Unknown, Hears::Taken]);
    assert_eq!(others, [b"three"], "it may be the other's");
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_like_it_all_are_unknown_and_it_is_reported() {
    let published = [message("k", "1", "one"), message("l", "2", "two")];
    let (outcomes, others) = outcomes(&published, &message("m", "3", "three"), false).await;
    assert_eq!(outcomes, [Hears::Unknown, Hears::Unknown]);
    assert_eq!(others, [b"three"]);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_all_confirms_fails_where_a_changed_message_came_back() {
    let (_connection, channel, mut peer) = Peer::connect_channel(64 * 1024, parameters()).await;
    let publisher = publisher(&channel, &mut peer).await;
    let mut forgotten = Vec::new();
    for body in ["one", "two"] {
        forgotten.push(publish(&publisher, &message("k", "1", body)).await);
        peer.expect_publish(1).await;
    }
    let script = async {
        come_back(&mut peer, &message("k", "1", "three"), true).await;
        peer.send(1, basic::Ack::default().delivery_tag(2).multiple(true)).await;
    };
    let (settled, ()) = tokio::join!(publisher.wait_for_confirms(), script);
    let settled = settled.unwrap_err().settled().unwrap();
    assert_eq!((settled.returned, settled.unknown, settled.nacked), (1, 1, 0));
}
