//! TLS, with a client certificate in place of a password.
//!
//! ```sh
//! cargo run --features tls --example tls -- amqps://rabbit.example ca.pem client.pem client.key
//! ```
//!
//! The broker needs a TLS listener, its plug-in `rabbitmq_auth_mechanism_ssl`, and a user whose
//! name is the common name of the certificate. With only a URL, the user and password of the URL
//! are used, and the authorities of the system are trusted.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints what it does")]

use std::env;
use std::process::ExitCode;

use leveret::config::{ConnectionParameters, Credentials, Pem, Tls};
use leveret::{Connection, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match &arguments[..] {
        [url] => publish(url.parse().map_err(Into::into)).await,
        [url, ca, certificate, key] => publish(with_certificate(url, ca, certificate, key)).await,
        _ => {
            eprintln!("Usage: tls AMQPS-URL [CA CERTIFICATE KEY]");
            return ExitCode::FAILURE;
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // It lists each attempt with its phase, and says what to do.
            eprintln!("Failed: {error:?}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the parameters of a broker that the URL names, with certificates on both sides.
fn with_certificate(url: &str, ca: &str, certificate: &str, key: &str) -> Result<ConnectionParameters> {
    let tls = Tls::default().ca(Pem::file(ca)).certificate(Pem::file(certificate)).key(Pem::file(key));
    Ok(ConnectionParameters::from_url(url)?.tls(tls).credentials(Credentials::external()))
}

async fn publish(parameters: Result<ConnectionParameters>) -> Result<()> {
    let parameters = parameters?;
    println!("Connecting to {parameters}");
    let connection = Connection::open(parameters).await?;
    let channel = connection.open_channel().await?;
    let queue = channel.queue_declare("").exclusive(true).await?.queue;
    let publisher = channel.confirm_select().await?;
    publisher.publish("", &queue, "Hello, over TLS!").confirmed().await?;
    println!("Published over TLS, and the broker confirmed it.");
    connection.close().await
}
