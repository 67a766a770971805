//! A mechanism with a challenge: RabbitMQ's own demonstration, which the user's first response does
//! not satisfy.

use leveret::config::{Exchange, Mechanism, MechanismError, SecretOctets};
use leveret::{ConnectionParameters, Credentials, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::{Disturbed, exclusive_queue, soon};

use crate::refused;

const NAME: &str = "RABBIT-CR-DEMO";

/// Says the user first, and the password when it is asked for.
struct Demonstration {
    password: &'static str,
}

impl Mechanism for Demonstration {
    fn name(&self) -> &str {
        NAME
    }

    fn begin(&self) -> Box<dyn Exchange> {
        let password = self.password;
        Box::new(move |challenge: Option<&[u8]>| -> Result<SecretOctets, MechanismError> {
            match challenge {
                None => Ok("guest".into()),
                Some(b"Please tell me your password") => Ok(format!("My password is {password}").as_str().into()),
                Some(_) => Err("the broker asks for something else".into()),
            }
        })
    }
}

async fn with_password(password: &'static str) -> ConnectionParameters {
    let credentials = Credentials::mechanism(Demonstration { password }).or(Credentials::external());
    Disturbed::broker().await.parameters().credentials(credentials)
}

#[tokio::test]
async fn a_challenge_of_the_brokers_is_answered() -> Result<()> {
    let connection = soon(Connection::open(with_password("guest").await)).await?;
    exclusive_queue(&soon(connection.open_channel()).await?).await;
    soon(connection.close()).await
}

#[tokio::test]
async fn a_challenge_that_is_answered_wrongly_is_an_error_of_authentication() {
    let error = refused(with_password("mole").await).await;
    assert!(error.is_authentication() && error.reply_code() == Some(ReplyCode::ACCESS_REFUSED), "{error}");
    assert!(error.reply_text().is_some_and(|text| text.contains(NAME)), "{error}");
}
