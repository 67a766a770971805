//! Secret text and bytes, which are never printed and are overwritten after use.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::{Zeroize, Zeroizing};

/// What is printed in place of a secret.
pub(crate) const REDACTED: &str = "<redacted>";

/// Text that is never printed (`Debug` and `Display` give `<redacted>`). It is overwritten in
/// memory when the last clone is dropped or when it is [erased](Secret::erase).
///
/// Clones share the text: erasing one erases all of them.
///
/// ```
/// use leveret::config::Secret;
///
/// let secret = Secret::from("hunter2");
/// assert_eq!(format!("{secret} {secret:?}"), "<redacted> <redacted>");
/// assert_eq!(secret.expose(str::len), 7);
///
/// let clone = secret.clone();
/// secret.erase();
/// assert!(clone.is_erased() && clone.expose(str::is_empty));
/// ```
#[derive(Clone)]
pub struct Secret {
    /// `None` after it was erased. The inner `Arc` is cloned to expose the text, so that no lock is
    /// held while foreign code looks at it: that code may erase the secret, and the connection's
    /// lock may wait for this one.
    text: Arc<RwLock<Option<Arc<Zeroizing<String>>>>>,
}

impl Secret {
    /// Passes the text to `look` and returns its result. If the secret was erased, the text is
    /// empty. Take care not to leak the text.
    pub fn expose<R>(&self, look: impl FnOnce(&str) -> R) -> R {
        let text = self.text.read().unwrap_or_else(PoisonError::into_inner).clone();
        look(text.as_ref().map_or("", |text| text.as_str()))
    }

    /// Erases the text of all clones, and overwrites it in memory. If a call of
    /// [`expose`](Self::expose) is in progress, the text is overwritten after that call.
    pub fn erase(&self) {
        *self.text.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns `true` if the text was erased.
    pub fn is_erased(&self) -> bool {
        self.text.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self { text: Arc::new(RwLock::new(Some(Arc::new(Zeroizing::new(text))))) }
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
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

/// Bytes that are never printed, and that are overwritten in memory when they are dropped: a
/// response of a [`Mechanism`](super::Mechanism), a private key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretOctets(Zeroizing<Vec<u8>>);

impl SecretOctets {
    /// Returns the bytes. Take care not to leak them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Makes an empty value with room for `capacity` bytes. Appending within the capacity does not
    /// reallocate.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    pub(crate) fn extend(&mut self, octets: &[u8]) {
        // `Vec` would reallocate without overwriting the old buffer, which would leave a copy in
        // memory.
        if self.0.capacity() - self.0.len() < octets.len() {
            let mut larger = Vec::with_capacity(2 * (self.0.len() + octets.len()));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            self.0 = Zeroizing::new(larger);
        }
        self.0.extend_from_slice(octets);
    }
}

impl AsRef<[u8]> for SecretOctets {
    fn as_ref(&self) -> &[u8] {
        self.expose()
    }
}

impl From<Vec<u8>> for SecretOctets {
    fn from(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }
}

impl From<&[u8]> for SecretOctets {
    fn from(octets: &[u8]) -> Self {
        Self::from(octets.to_vec())
    }
}

impl From<&str> for SecretOctets {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl fmt::Debug for SecretOctets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_may_be_erased_by_whom_it_is_shown_to() {
        let secret = Secret::from("hunter2");
        let shown = secret.expose(|text| {
            secret.erase();
            text.to_owned()
        });
        assert_eq!(shown, "hunter2");
        assert!(secret.is_erased() && secret.expose(str::is_empty));
    }
}
