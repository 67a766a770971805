//! TLS where there is none, and none where there is TLS: an error that says so, and soon.

use std::time::Duration;

use leveret::{ConnectionParameters, ErrorKind, Phase, Result};
use leveret_live_tests::secure::{TlsPort, trusting};
use leveret_live_tests::url;
use tokio::net::TcpListener;

use crate::{assert_failed_in_tls, refused, refused_by_tls};

#[tokio::test]
async fn plain_amqp_at_a_tls_port_is_told_so() -> Result<()> {
    for port in TlsPort::ALL {
        let parameters = ConnectionParameters::from_url(&format!("amqp://guest:guest@{}", port.address()))?;
        let error = refused(parameters).await;
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("TLS (amqps)")), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn tls_at_a_plain_port_is_told_so() -> Result<()> {
    let error = refused_by_tls(ConnectionParameters::from_url(&url())?.tls(trusting())).await;
    assert_failed_in_tls(&error, "does not speak TLS");
    Ok(())
}

#[tokio::test]
async fn tls_at_a_port_that_nobody_listens_on_is_an_error_of_the_transport() {
    let error = refused(TlsPort::Modern.parameters(trusting()).host("127.0.0.1").port(1)).await;
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    let phases: Vec<Phase> = error.attempts().iter().map(|attempt| attempt.phase()).collect();
    assert_eq!(phases, [Phase::Connect], "{error}");
}

#[tokio::test]
async fn tls_at_a_port_that_stays_silent_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = silent.local_addr().expect("its address").port();
    let parameters = TlsPort::Modern.parameters(trusting()).host("127.0.0.1").port(port);
    let error = refused(parameters.tls_timeout(Duration::from_millis(300))).await;
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert_failed_in_tls(&error, "tls_timeout");
}

#[tokio::test]
async fn tls_at_a_port_that_hangs_up_is_told_so_and_may_go_well_another_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let error = refused(TlsPort::Modern.parameters(trusting()).host("127.0.0.1").port(port)).await;
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert_failed_in_tls(&error, "may not speak TLS");
    assert!(error.is_retryable(), "{error}");
}
