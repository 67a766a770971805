//! What the client shows of itself: certificates, and keys for them.

use std::fs;

use leveret::config::{Pem, Tls};
use leveret::{ConnectionParameters, Result};
use leveret_live_tests::secure::{MUTUAL, PASSWORD, TlsPort, identified_by, path, pem, trusting};
use leveret_live_tests::soon;

use crate::{assert_failed_in_tls, refused_by_tls, works};

/// The client's certificate with its encrypted key.
fn encrypted() -> Tls {
    identified_by("client").server_name(MUTUAL).key(pem("client.encrypted.key"))
}

#[tokio::test]
async fn a_broker_that_insists_on_a_certificate_gets_it() -> Result<()> {
    for port in TlsPort::ALL {
        let connection = works(port.parameters(identified_by("client").server_name(MUTUAL))).await;
        soon(connection.close()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_broker_that_only_asks_for_a_certificate_gets_it_and_does_without() {
    for port in TlsPort::ALL {
        works(port.parameters(identified_by("client"))).await;
        works(port.parameters(trusting())).await;
    }
}

// With TLS 1.3 the broker says so when the client believes that the handshake is over.
#[tokio::test]
async fn a_client_without_the_certificate_that_the_broker_insists_on_is_told_so() {
    for port in TlsPort::ALL {
        for _ in 0..10 {
            let error = refused_by_tls(port.parameters(trusting().server_name(MUTUAL))).await;
            assert!(error.to_string().contains("may want a client certificate"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_the_broker_does_not_know_is_refused() {
    for port in TlsPort::ALL {
        for name in ["localhost", MUTUAL] {
            let error = refused_by_tls(port.parameters(identified_by("stranger").server_name(name))).await;
            let told = error.to_string();
            assert!(told.contains("certificate") && told.contains("UnknownCA"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_expired_certificate_of_the_client_is_refused() {
    for port in TlsPort::ALL {
        let error = refused_by_tls(port.parameters(identified_by("late").server_name(MUTUAL))).await;
        assert!(error.to_string().contains("CertificateExpired"), "{error}");
    }
}

#[tokio::test]
async fn certificate_and_key_are_taken_from_memory() {
    let [certificate, key] = ["client.pem", "client.key"].map(|name| fs::read(path(name)).expect("it was made"));
    let tls = trusting().server_name(MUTUAL);
    let apart = tls.clone().certificate(Pem::memory(certificate.clone())).key(Pem::memory(key.clone()));
    works(TlsPort::Modern.parameters(apart)).await;
    let together = tls.certificate(Pem::memory([certificate, key].concat()));
    works(TlsPort::Modern.parameters(together)).await;
}

#[tokio::test]
async fn an_encrypted_key_is_decrypted_with_its_password() -> Result<()> {
    for port in TlsPort::ALL {
        works(port.parameters(encrypted().key_password(PASSWORD))).await;
    }
    let folder = path("").display().to_string();
    let files =
        format!("cacertfile={folder}authority.pem&certfile={folder}client.pem&keyfile={folder}client.encrypted.key");
    let query = format!("{files}&password={}&server_name_indication={MUTUAL}", PASSWORD.replace(' ', "+"));
    works(ConnectionParameters::from_url(&format!("{}?{query}", TlsPort::Modern.url()))?).await;
    Ok(())
}

#[tokio::test]
async fn a_url_with_the_options_of_pika_gives_the_same() -> Result<()> {
    let folder = path("").display().to_string();
    let files = format!(
        r#""ca_certs": "{folder}authority.pem", "certfile": "{folder}client.pem", "keyfile": "{folder}client.encrypted.key""#
    );
    let options = format!(r#"{{{files}, "password": "{PASSWORD}", "server_hostname": "{MUTUAL}"}}"#).replace(' ', "+");
    works(ConnectionParameters::from_url(&format!("{}?ssl_options={options}", TlsPort::Modern.url()))?).await;
    Ok(())
}

#[tokio::test]
async fn an_encrypted_key_with_a_wrong_password_or_none_is_refused_and_never_shown() {
    let wrong = "over the lawn";
    for tls in [encrypted(), encrypted().key_password(""), encrypted().key_password(wrong)] {
        let error = refused_by_tls(TlsPort::Modern.parameters(tls)).await;
        let told = error.to_string();
        assert!(told.contains("password: ") && told.contains("client.encrypted.key"), "{told}");
        assert!(!format!("{error} {error:?}").contains(wrong));
    }
}

#[tokio::test]
async fn a_password_for_a_key_that_is_not_encrypted_does_no_harm() {
    works(TlsPort::Modern.parameters(identified_by("client").server_name(MUTUAL).key_password(PASSWORD))).await;
}

#[tokio::test]
async fn a_key_that_is_not_the_certificates_is_refused_before_it_is_used() {
    let mixed = identified_by("client").server_name(MUTUAL).key(pem("stranger.key"));
    let error = refused_by_tls(TlsPort::Modern.parameters(mixed)).await;
    assert_failed_in_tls(&error, "keyfile");
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_by_the_next_connection() {
    let [certificate, key] = ["renewed.pem", "renewed.key"].map(path);
    let install = |name: &str| {
        fs::copy(path(&format!("{name}.pem")), &certificate).expect("a certificate is put in place");
        fs::copy(path(&format!("{name}.key")), &key).expect("a key is put in place");
    };
    let renewed = trusting().server_name(MUTUAL).certificate(Pem::file(&certificate)).key(Pem::file(&key));
    let parameters = TlsPort::Modern.parameters(renewed);
    install("late");
    refused_by_tls(parameters.clone()).await;
    install("client");
    works(parameters).await;
}
