//! EXTERNAL: the certificate says who the client is.

use leveret::{ConnectionParameters, Credentials, ErrorKind, Properties, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::secure::{MUTUAL, TlsPort, USER, identified_by, path, trusting};
use leveret_live_tests::{assert_closed_by_broker, exclusive_queue, next, soon};

use crate::refused;

/// The broker takes a message whose properties name this user as its sender, and no other.
async fn is_logged_in_as(connection: &Connection, user: &str) -> Result<()> {
    let channel = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&channel).await;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let naming = |user: &str| Properties::default().user_id(user.to_owned());
    soon(channel.publish("", &queue, "by its user").properties(naming(user)).into_future()).await?;
    assert_eq!(next(&mut consumer).await.body(), b"by its user");

    let publisher = soon(channel.confirm_select()).await?;
    let another = naming("somebody else");
    let error = soon(publisher.publish("", &queue, "by another").properties(&another).confirmed()).await.unwrap_err();
    assert_closed_by_broker(&error, ErrorKind::ChannelClosed, ReplyCode::PRECONDITION_FAILED);
    assert!(error.reply_text().unwrap().contains(user), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_certificates_user_is_logged_in() -> Result<()> {
    for port in TlsPort::ALL {
        for name in ["localhost", MUTUAL] {
            let tls = identified_by("client").server_name(name);
            let parameters = port.parameters(tls).credentials(Credentials::external());
            let connection = soon(Connection::open(parameters)).await?;
            is_logged_in_as(&connection, USER).await?;
            soon(connection.close()).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_url_asks_for_it() -> Result<()> {
    let folder = path("").display().to_string();
    let files = format!("cacertfile={folder}authority.pem&certfile={folder}client.pem&keyfile={folder}client.key");
    let query = format!("{files}&server_name_indication={MUTUAL}&auth_mechanism=external");
    let connection = soon(Connection::open(format!("amqps://{}/%2F?{query}", TlsPort::Modern.address()))).await?;
    is_logged_in_as(&connection, USER).await?;
    soon(connection.close()).await
}

#[tokio::test]
async fn a_user_and_password_are_taken_before_the_certificate_where_they_are_asked_for() -> Result<()> {
    let parameters = TlsPort::Modern.parameters(identified_by("client"));
    let connection = soon(Connection::open(parameters)).await?;
    is_logged_in_as(&connection, "guest").await
}

#[tokio::test]
async fn the_first_mechanism_that_the_broker_offers_is_used() -> Result<()> {
    let either = Credentials::external().or(Credentials::plain("guest", "guest"));
    let parameters = TlsPort::Modern.parameters(identified_by("client")).credentials(either.clone());
    is_logged_in_as(&soon(Connection::open(parameters)).await?, USER).await?;
    // Without TLS it is not offered.
    let parameters = leveret_live_tests::parameters().credentials(either);
    is_logged_in_as(&soon(Connection::open(parameters)).await?, "guest").await
}

#[tokio::test]
async fn without_a_certificate_it_is_an_error_of_authentication() {
    for port in TlsPort::ALL {
        let error = refused(port.parameters(trusting()).credentials(Credentials::external())).await;
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        assert_eq!(error.reply_code(), Some(ReplyCode::ACCESS_REFUSED), "{error}");
        assert!(error.reply_text().unwrap().contains("EXTERNAL"), "{error}");
    }
}

#[tokio::test]
async fn without_tls_it_is_not_offered_and_the_error_lists_both_sides() -> Result<()> {
    let url = leveret_live_tests::url();
    let error = refused(ConnectionParameters::from_url(&url)?.credentials(Credentials::external())).await;
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    let told = error.to_string();
    assert!(told.contains("EXTERNAL") && told.contains("PLAIN"), "{error}");
    Ok(())
}
