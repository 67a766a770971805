//! What `Debug` shows: how much there is of a message or of a secret, and none of it.

use std::fmt::Debug;

use leveret::frame::{self, Body, Decoded, Decoder};
use leveret::protocol::{Method, connection};
use leveret_test_support::Peer;

use super::client::{Connect as _, parameters};

const CAPACITY: usize = 64 * 1024;

/// It is shown as text, and as the numbers of its bytes.
const SECRET: &str = "hunter2";
const AS_NUMBERS: &str = "104, 117, 110";

fn shown(value: &impl Debug) -> String {
    let text = format!("{value:?} {value:#?}");
    let numbers = format!("{value:?}");
    assert!(!text.contains(SECRET) && !numbers.contains(AS_NUMBERS), "{text}");
    text
}

#[test]
fn a_body_is_shown_by_its_length() {
    assert!(shown(&Body::from(SECRET)).contains("Borrowed(7 bytes)"));
    assert!(shown(&Body::from(SECRET.repeat(1000))).contains("Shared(7000 bytes)"));
    let body = Body::from(SECRET);
    let publish = frame::Publish { exchange: b"", routing_key: b"q", mandatory: false, properties: None, body: &body };
    assert!(shown(&publish).contains("7 bytes"));
}

#[test]
fn a_raw_frame_is_shown_by_its_length() {
    let mut octets = vec![3, 0, 1, 0, 0, 0, 7];
    octets.extend(SECRET.as_bytes());
    octets.push(0xce);
    let decoded = Decoder::new(4096).decode(&octets).unwrap();
    assert!(shown(&decoded).contains("7 bytes"));
    let Decoded::Frame(frame, _) = decoded else { panic!("{decoded:?}") };
    assert_eq!(frame.payload, SECRET.as_bytes());
}

#[test]
fn methods_that_carry_a_secret_do_not_show_it() {
    shown(&connection::StartOk::default().response(SECRET));
    shown(&connection::SecureOk::default().response(SECRET));
    shown(&connection::UpdateSecret::default().new_secret(SECRET));
    shown(&Method::from(connection::StartOk::default().response(SECRET)));
}

#[tokio::test(start_paused = true)]
async fn a_publish_is_shown_without_its_body_wherever_it_waits() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters().max_unconfirmed(1)).await;
    shown(&channel.publish("", "q", SECRET));
    shown(&channel.publish("", "q", SECRET).into_future());
    let publisher = super::steps::publisher(&channel, &mut peer).await;
    let confirm = publisher.publish("", "q", SECRET).mandatory(true).await.unwrap();
    shown(&confirm);
    shown(&publisher.publish("", "q", SECRET));
    let mut waiting = Box::pin(publisher.publish("", "q", SECRET).confirmed());
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("one is unconfirmed already"),
        () = tokio::task::yield_now() => {}
    }
    shown(&waiting);
    shown(&(&publisher, &channel));
}

#[test]
fn settings_of_tls_are_shown_without_what_is_secret() {
    use leveret::config::{Pem, Tls};

    let tls = Tls::default().ca(Pem::file("ca.pem")).key(Pem::memory(SECRET)).key_password(SECRET);
    let text = shown(&tls);
    assert!(text.contains("ca.pem") && text.contains("<in memory>") && text.contains("<redacted>"), "{text}");
    shown(&parameters().tls(tls));
}
