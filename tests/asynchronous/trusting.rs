//! Whom the client trusts over TLS, and what it says of a handshake that the broker refuses.

use leveret::config::{Pem, Tls};
use leveret::{Connection, ErrorKind};
use rcgen::{BasicConstraints, CertificateParams, IsCa};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::client::parameters;
use super::secure::{Identity, NAME, refused};

/// What `openssl req -x509` makes by default: its own authority, and marked as one.
fn own_authority() -> Identity {
    let mut asked = CertificateParams::new([NAME.to_owned()]).unwrap();
    asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Identity::made_of(&asked)
}

#[tokio::test(start_paused = true)]
async fn a_self_signed_certificate_is_taken_where_it_is_given_as_its_own_authority() {
    let identity = own_authority();
    let (transport, mut peer) = identity.pipe();
    let opening = Connection::open_on(transport, identity.parameters());
    let (opened, ()) = tokio::join!(opening, peer.shake_hands());
    assert!(opened.unwrap().is_open());
}

#[tokio::test(start_paused = true)]
async fn a_self_signed_certificate_is_refused_under_another_name_and_where_another_is_trusted() {
    let identity = own_authority();
    let (transport, _peer) = identity.pipe();
    let error = Connection::open_on(transport, identity.parameters().host("other.test")).await.unwrap_err();
    assert!(error.is_tls() && error.to_string().contains("for another name"), "{error}");

    let (transport, _peer) = identity.pipe();
    let other = parameters().host(NAME).tls(Tls::default().ca(Pem::memory(own_authority().pem.as_str())));
    let error = Connection::open_on(transport, other).await.unwrap_err();
    assert!(error.is_tls() && error.to_string().contains("exactly it is in cacertfile"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_is_refused_before_any_certificate_blames_no_client_certificate() {
    // Alerts: handshake_failure and protocol_version.
    for (alert, expected) in [(40, "no CBC suites"), (70, "TLS 1.2")] {
        let alerting = async |mut end: DuplexStream| {
            let _ = end.read(&mut [0; 4096]).await;
            let _ = end.write_all(&[21, 3, 3, 0, 2, 2, alert]).await;
            let _ = end.read(&mut [0; 4096]).await;
        };
        let error = refused(own_authority().parameters(), alerting).await;
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        let text = error.to_string();
        assert!(text.contains(expected) && !text.contains("client certificate"), "{text}");
    }
}
