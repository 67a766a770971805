//! Who may connect, by which mechanism, and how a login is refused.

use std::time::Duration;

use leveret::FieldTable;
use leveret::protocol::{ProtocolMethod, connection};
use leveret::wire::Writer;
use leveret_live_tests::raw::{Close, Raw, capabilities};
use leveret_live_tests::{password, unique, user};

/// A peer that has answered `connection.start` with this mechanism and response.
async fn logging_in(mechanism: &str, response: Vec<u8>) -> Raw {
    let mut peer = Raw::connect().await;
    peer.until_start().await;
    let start_ok = peer.start_ok().mechanism(mechanism.to_owned()).response(response);
    peer.send(0, start_ok).await;
    peer
}

fn plain(user: &str, password: &str) -> Vec<u8> {
    format!("\0{user}\0{password}").into_bytes()
}

/// The response of AMQPLAIN: a table without the octets that say its size.
fn amqplain<const N: usize>(fields: [(&'static str, &str); N]) -> Vec<u8> {
    let mut octets = Vec::new();
    Writer::new(&mut octets).table(&fields.into_iter().collect::<FieldTable>()).expect("a table that can be encoded");
    octets.split_off(4)
}

fn refused_login(mechanism: &str) -> String {
    format!(
        "ACCESS_REFUSED - Login was refused using authentication mechanism {mechanism}. For details see the broker logfile."
    )
}

#[tokio::test]
async fn a_refused_login_is_told_alike_for_a_wrong_password_and_an_unknown_user() {
    let refused = [
        ("PLAIN", plain(&user(), "not the password")),
        ("PLAIN", plain(&user(), "")),
        ("PLAIN", plain(&unique("nobody"), "any")),
        ("PLAIN", b"\0\xff\0any".to_vec()),
        ("AMQPLAIN", amqplain([("LOGIN", &user()), ("PASSWORD", "not the password")])),
        ("AMQPLAIN", amqplain([("LOGIN", &unique("nobody")), ("PASSWORD", "any")])),
    ];
    for (mechanism, response) in refused {
        let mut peer = logging_in(mechanism, response).await;
        peer.expect_connection_close(403, &refused_login(mechanism), Close::NO_METHOD).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_announce_the_capability_is_not_told_that_its_login_is_refused() {
    let mut peer = Raw::connect().await;
    peer.until_start().await;
    let start_ok = peer.start_ok().client_properties(capabilities(&[])).response(plain(&user(), "not the password"));
    peer.send(0, start_ok).await;
    peer.expect_end_within(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn amqplain_takes_its_two_fields_in_any_order() {
    let (user, password) = (user(), password());
    let responses =
        [amqplain([("LOGIN", &user), ("PASSWORD", &password)]), amqplain([("PASSWORD", &password), ("LOGIN", &user)])];
    for response in responses {
        let mut peer = logging_in("AMQPLAIN", response).await;
        peer.expect::<connection::Tune>(0).await;
        let (tune_ok, open) = (peer.tune_ok(), peer.virtual_host());
        peer.send(0, tune_ok).await;
        peer.call(0, open).await;
        peer.close().await;
    }
}

#[tokio::test]
async fn a_response_that_the_mechanism_cannot_read_ends_the_connection_without_a_word() {
    let (user, password) = (user(), password());
    let with_authorization = [b"other".to_vec(), plain(&user, &password)].concat();
    let with_more = [plain(&user, &password), b"\0more".to_vec()].concat();
    let responses = [
        ("PLAIN", Vec::new()),
        ("PLAIN", b"guest guest".to_vec()),
        ("PLAIN", with_authorization),
        ("PLAIN", with_more),
        ("AMQPLAIN", Vec::new()),
        ("AMQPLAIN", b"\xff\xff".to_vec()),
        ("AMQPLAIN", amqplain([("LOGIN", &user)])),
    ];
    let mut peers = Vec::new();
    for (mechanism, response) in responses {
        peers.push(logging_in(mechanism, response).await);
    }
    for mut peer in peers {
        peer.expect_end_within(Duration::from_secs(10)).await;
    }
}

#[tokio::test]
async fn a_mechanism_that_was_not_offered_ends_the_connection_without_a_word() {
    let mut peers = Vec::new();
    for mechanism in ["EXTERNAL", "plain", ""] {
        peers.push(logging_in(mechanism, plain(&user(), &password())).await);
    }
    for mut peer in peers {
        peer.expect_end_within(Duration::from_secs(10)).await;
    }
}

#[tokio::test]
async fn a_new_secret_is_taken_and_changes_nothing() {
    let mut peer = Raw::open_channel().await;
    let secret = connection::UpdateSecret::default().new_secret("anything").reason("it is time");
    assert_eq!(peer.call(0, secret).await, connection::UpdateSecretOk::default());
    peer.close().await;
    // The secret that it had is still the one to log in with.
    Raw::open().await.close().await;
}

#[tokio::test]
async fn a_new_secret_that_cannot_be_read_is_an_internal_error() {
    let mut peer = Raw::open().await;
    peer.send_method_frame(0, connection::UpdateSecret::ID, &[0]).await;
    peer.expect_connection_close(541, "INTERNAL_ERROR", Close::NO_METHOD).await;
}
