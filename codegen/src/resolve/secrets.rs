//! Arguments that carry a secret. The format cannot say so.

/// Class, method and field of each.
const SECRETS: [(&str, &str, &str); 3] = [
    // The answer of a SASL mechanism: with PLAIN, the password itself.
    ("connection", "start-ok", "response"),
    ("connection", "secure-ok", "response"),
    // A token, as a rule.
    ("connection", "update-secret", "new-secret"),
];

/// The field carries a secret.
pub(super) fn is_secret(class: &str, method: &str, field: &str) -> bool {
    SECRETS.contains(&(class, method, field))
}
