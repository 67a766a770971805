//! Who the client is, and what it must not tell anybody but the broker.

use std::fmt;

/// What proves to the broker who the client is.
///
/// `Debug` shows the user and never the password.
#[derive(Debug, Clone)]
pub struct Credentials {
    user: String,
    password: Secret,
}

impl Credentials {
    /// A user and a password, for the mechanism `PLAIN`. Either may be empty; neither may hold a NUL, which separates
    /// them.
    pub fn plain(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// The SASL mechanism, spelled as brokers offer it.
    pub fn mechanism(&self) -> &'static str {
        "PLAIN"
    }

    /// The initial response of `PLAIN` (RFC 4616): NUL, user, NUL, password. It holds the password in the clear.
    pub fn plain_response(&self) -> Vec<u8> {
        [b"\0", self.user.as_bytes(), b"\0", self.password.expose().as_bytes()].concat()
    }

    /// The user.
    pub fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn password(&self) -> &Secret {
        &self.password
    }
}

impl Default for Credentials {
    /// The user `guest` with the password `guest`.
    fn default() -> Self {
        Self::plain("guest", "guest")
    }
}

/// Text that is never printed: `Debug` and `Display` give `<redacted>`.
#[derive(Clone)]
pub struct Secret(String);

/// What stands in the place of a secret.
pub(super) const REDACTED: &str = "<redacted>";

impl Secret {
    /// The text itself. Take care where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_answers_with_user_and_password_behind_a_nul_each() {
        let hexadecimal: String =
            Credentials::default().plain_response().iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hexadecimal, "006775657374006775657374");
        assert_eq!(Credentials::plain("ü", "").plain_response(), [0, 0xc3, 0xbc, 0]);
    }

    #[test]
    fn a_secret_is_never_printed() {
        let credentials = Credentials::plain("u", "hunter2");
        assert_eq!(format!("{credentials:?}"), "Credentials { user: \"u\", password: <redacted> }");
        assert_eq!(format!("{:#?} {}", credentials.password(), credentials.password()), "<redacted> <redacted>");
    }
}
