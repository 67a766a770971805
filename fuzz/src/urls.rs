//! Connection URLs: whatever is given, an error or parameters that print as they read.

use leveret::ConnectionParameters;

/// What stands in the place of a secret.
const REDACTED: &str = "<redacted>";

/// A URL: what can be read is printed without its password, and reads back as it was.
pub fn urls(data: &[u8]) {
    let Ok(url) = std::str::from_utf8(data) else { return };
    let parameters = match ConnectionParameters::from_url(url) {
        Ok(parameters) => parameters,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(parameters.validate(), Ok(()), "what was read is refused afterwards");
    let printed = parameters.to_string();
    // Octets that a URL cannot hold as they are: none is taken for something else when it reads
    // back.
    let password = parameters
        .credentials
        .password()
        .expose(|password| password.bytes().map(|octet| format!("%{octet:02X}")).collect::<String>());
    let login = printed.replacen(&format!(":{REDACTED}@"), &format!(":{password}@"), 1);
    let again = ConnectionParameters::from_url(&login.replace(REDACTED, "secret"));
    let again = again.unwrap_or_else(|error| panic!("{printed} does not read back: {error}"));
    assert_eq!(again.to_string(), printed, "parameters change on the way");
    assert_eq!(format!("{again:?}"), format!("{parameters:?}"), "parameters change on the way");
}
