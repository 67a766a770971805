//! Whom the client takes for the broker.

use std::{env, fs};

use leveret::config::{Pem, Tls};
use leveret::{ConnectionParameters, ErrorKind, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::secure::{EXPIRED, TlsPort, path, pem, run_again_with, trusting};
use leveret_live_tests::soon;
use tokio::net::TcpStream;

use crate::{assert_failed_in_tls, refused, refused_by_tls, round_trip, works};

/// The variable by which a process is told whom its system trusts.
const SYSTEM: &str = "SSL_CERT_FILE";

#[tokio::test]
async fn a_broker_that_the_authority_vouches_for_is_trusted_by_file_and_by_memory() -> Result<()> {
    let octets = fs::read(path("authority.pem")).expect("the authority's certificate");
    for port in TlsPort::ALL {
        for authority in [pem("authority.pem"), Pem::memory(octets.clone())] {
            let connection = works(port.parameters(trusting().ca(authority))).await;
            soon(connection.close()).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_url_names_the_authority() -> Result<()> {
    let url = format!("{}?cacertfile={}", TlsPort::Modern.url(), path("authority.pem").display());
    let connection = works(ConnectionParameters::from_url(&url)?).await;
    soon(connection.close()).await
}

#[tokio::test]
async fn one_of_several_authorities_is_enough() {
    let authorities = ["other-authority.pem", "authority.pem"].map(|name| fs::read(path(name)).expect("an authority"));
    works(TlsPort::Modern.parameters(trusting().ca(Pem::memory(authorities.concat())))).await;
}

#[tokio::test]
async fn a_broker_that_another_authority_would_have_to_vouch_for_is_refused() {
    for port in TlsPort::ALL {
        let error = refused_by_tls(port.parameters(trusting().ca(pem("other-authority.pem")))).await;
        assert_failed_in_tls(&error, "cacertfile");
    }
}

#[tokio::test]
async fn an_authority_that_the_system_does_not_know_is_not_trusted_unasked() -> Result<()> {
    for port in TlsPort::ALL {
        let error = refused_by_tls(port.parameters(Tls::default().server_name("localhost"))).await;
        assert_failed_in_tls(&error, "cacertfile");
        // What an amqps URL without a key comes to.
        let error = refused_by_tls(ConnectionParameters::from_url(&port.url())?).await;
        assert_failed_in_tls(&error, "cacertfile");
    }
    Ok(())
}

#[tokio::test]
async fn whom_the_system_trusts_is_trusted_unasked() -> Result<()> {
    let authority = path("authority.pem");
    if env::var_os(SYSTEM).is_some_and(|named| named == *authority) {
        let connection = works(ConnectionParameters::from_url(&TlsPort::Modern.url())?).await;
        return soon(connection.close()).await;
    }
    run_again_with(SYSTEM, &authority.display().to_string(), "trust::whom_the_system_trusts_is_trusted_unasked").await;
    Ok(())
}

#[tokio::test]
async fn the_certificate_has_to_be_for_the_host_that_was_asked_for() {
    let authority = || Tls::default().ca(pem("authority.pem"));
    works(TlsPort::Modern.parameters(authority())).await;
    works(TlsPort::Modern.parameters(authority().server_name("127.0.0.1"))).await;
    let error = refused_by_tls(TlsPort::Old.parameters(authority())).await;
    assert_failed_in_tls(&error, "127.0.0.1");
    works(TlsPort::Old.parameters(authority().server_name("localhost"))).await;
}

#[tokio::test]
async fn a_host_is_checked_by_its_name_whatever_its_address() -> Result<()> {
    let address = TlsPort::Old.address().replace("127.0.0.1", "localhost");
    let url = format!("amqps://guest:guest@{address}?cacertfile={}", path("authority.pem").display());
    let connection = works(ConnectionParameters::from_url(&url)?).await;
    soon(connection.close()).await
}

#[tokio::test]
async fn each_endpoint_is_checked_by_its_own_name() -> Result<()> {
    let (address, authority) = (TlsPort::Old.address(), path("authority.pem"));
    // The first host is none that the certificate is for.
    let hosts = format!("{address},{}", address.replace("127.0.0.1", "localhost"));
    let url = format!("amqps://guest:guest@{hosts}?cacertfile={}", authority.display());
    let connection = works(ConnectionParameters::from_url(&url)?).await;
    soon(connection.close()).await
}

#[tokio::test]
async fn a_socket_of_the_callers_is_secured_alike() -> Result<()> {
    for port in TlsPort::ALL {
        let socket =
            || async { soon(TcpStream::connect(port.address())).await.expect("the broker takes a connection") };
        let opening = leveret::Connection::open_on(socket().await, port.parameters(trusting()));
        let connection = Connection::from(soon(opening).await?);
        round_trip(&soon(connection.open_channel()).await?, b"there and back".to_vec()).await;
        soon(connection.close()).await?;

        let elsewhere = port.parameters(trusting().server_name("elsewhere.test"));
        let error = soon(leveret::Connection::open_on(socket().await, elsewhere)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        assert_failed_in_tls(&error, "elsewhere.test");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_name_that_the_certificate_is_not_for_is_refused() -> Result<()> {
    for port in TlsPort::ALL {
        let error = refused_by_tls(port.parameters(trusting().server_name("elsewhere.test"))).await;
        assert_failed_in_tls(&error, "elsewhere.test");
        let authority = path("authority.pem");
        let query = format!("cacertfile={}&server_name_indication=elsewhere.test", authority.display());
        let error = refused_by_tls(ConnectionParameters::from_url(&format!("{}?{query}", port.url()))?).await;
        assert_failed_in_tls(&error, "elsewhere.test");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_name_that_is_none_is_refused() {
    for name in ["", "no name at all", "localhost:5671"] {
        let error = refused(TlsPort::Modern.parameters(trusting().server_name(name))).await;
        assert!(error.to_string().contains("server_name_indication"), "{error}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    for port in TlsPort::ALL {
        let error = refused_by_tls(port.parameters(trusting().server_name(EXPIRED))).await;
        assert_failed_in_tls(&error, "expired");
    }
}

#[tokio::test]
async fn a_broker_that_is_not_told_the_name_shows_its_usual_certificate() {
    for port in TlsPort::ALL {
        let usual = trusting().server_name(EXPIRED).send_server_name(false);
        let error = refused_by_tls(port.parameters(usual)).await;
        assert_failed_in_tls(&error, EXPIRED);
        works(port.parameters(trusting().send_server_name(false))).await;
    }
}

#[tokio::test]
async fn without_verification_anybody_is_taken_for_the_broker() -> Result<()> {
    let settings = [
        Tls::default(),
        trusting().ca(pem("other-authority.pem")),
        trusting().server_name(EXPIRED),
        trusting().server_name("elsewhere.test"),
    ];
    for port in TlsPort::ALL {
        for tls in &settings {
            let connection = works(port.parameters(tls.clone().dangerously_skip_verification())).await;
            soon(connection.close()).await?;
        }
        let connection = works(ConnectionParameters::from_url(&format!("{}?verify=verify_none", port.url()))?).await;
        soon(connection.close()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn verification_that_is_asked_for_is_done() -> Result<()> {
    let url = format!("{}?verify=verify_peer", TlsPort::Modern.url());
    let error = refused_by_tls(ConnectionParameters::from_url(&url)?).await;
    assert_failed_in_tls(&error, "cacertfile");
    Ok(())
}
