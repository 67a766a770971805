//! Arguments that hold a secret. The format cannot express this.

/// Class, method and field of each.
const SECRETS: [(&str, &str, &str); 3] = [
    // The answer of a SASL mechanism: with PLAIN, the password itself.
    ("connection", "start-ok", "response"),
    ("connection", "secure-ok", "response"),
    // Usually a token.
    ("connection", "update-secret", "new-secret"),
];

/// Whether the field holds a secret.
pub(super) fn is_secret(class: &str, method: &str, field: &str) -> bool {
    SECRETS.contains(&(class, method, field))
}
