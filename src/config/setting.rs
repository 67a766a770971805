//! The argument of setters whose setting can be removed.

use super::Secret;

/// The argument of a setter: a value, or `None` to remove the setting. A bare value converts, and
/// so do `Some` and `None`.
///
/// ```
/// use leveret::ConnectionParameters;
///
/// let named = ConnectionParameters::default().connection_name("invoices");
/// assert_eq!(named.connection_name.as_deref(), Some("invoices"));
/// assert_eq!(named.connection_name(None).connection_name, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T>(Option<T>);

impl<T> Setting<T> {
    /// Returns the value, or `None` if the setting is removed.
    pub fn into_option(self) -> Option<T> {
        self.0
    }
}

impl<T> From<T> for Setting<T> {
    fn from(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T> From<Option<T>> for Setting<T> {
    fn from(value: Option<T>) -> Self {
        Self(value)
    }
}

impl From<&str> for Setting<String> {
    fn from(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}

impl From<&String> for Setting<String> {
    fn from(text: &String) -> Self {
        Self(Some(text.clone()))
    }
}

impl From<&str> for Setting<Secret> {
    fn from(secret: &str) -> Self {
        Self(Some(secret.into()))
    }
}

impl From<String> for Setting<Secret> {
    fn from(secret: String) -> Self {
        Self(Some(secret.into()))
    }
}
