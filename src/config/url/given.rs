//! The texts that were given for each key.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::keys::{REPEATED, find};
use crate::config::parameters::Key;
use crate::config::{ParametersError, ParametersErrorKind};

use ParametersErrorKind::{Conflict, Malformed, RepeatedKey};

/// The texts of keys, which are overwritten in memory when this is dropped, because one may be a
/// password.
#[derive(Default)]
pub(in crate::config) struct Given(BTreeMap<&'static str, Zeroizing<String>>);

impl Given {
    /// Adds a key, which must not conflict with those that were added before.
    pub(in crate::config) fn add(&mut self, key: &'static Key, text: Zeroizing<String>) -> Result<(), ParametersError> {
        let is_conflict =
            |other: &&Key| key.access.conflicts.contains(&other.name) || other.access.conflicts.contains(&key.name);
        if let Some(conflicting) = self.0.keys().filter_map(|name| find(name)).find(is_conflict) {
            let advice = format!("{} sets the same; give one of them", conflicting.name);
            return Err(ParametersError::new(Conflict, key.name, advice));
        }
        if key.access.repeats && text.contains(REPEATED) {
            let error = ParametersError::new(Malformed, key.name, format!("allowed is {}", key.allowed));
            return Err(error.given(text.as_str()));
        }
        match self.0.get_mut(key.name) {
            None => drop(self.0.insert(key.name, text)),
            Some(earlier) if key.access.repeats && !text.is_empty() => {
                earlier.push(REPEATED);
                earlier.push_str(&text);
            }
            Some(_) => return Err(ParametersError::new(RepeatedKey, key.name, "give it once")),
        }
        Ok(())
    }

    /// The text of a key.
    pub(in crate::config) fn get(&self, key: &Key) -> Option<&str> {
        self.0.get(key.name).map(|text| text.as_str())
    }
}
