//! The permissions of a user in a virtual host.

use std::fmt;

use regex_lite::Regex;

/// The permissions of a user for the exchanges and queues of a virtual host: three patterns, as in
/// RabbitMQ.
///
/// A name is allowed if the pattern matches any part of it; `^` and `$` anchor the pattern. The
/// empty pattern matches only the empty name, and so allows nothing. The default exchange has the
/// name `amq.default` here.
///
/// Patterns are those of the crate [`regex-lite`](https://docs.rs/regex-lite), without look-around
/// and back-references. They compare bytes, as in RabbitMQ: `.` is one byte, and a letter outside
/// ASCII is several.
///
/// ```
/// use leveret::broker::{Access, Permissions};
///
/// let permissions = Permissions::new("^shop-", ".*", "^(shop-.*|amq\\.topic)$")?;
/// assert!(permissions.allows(Access::Configure, b"shop-orders"));
/// assert!(!permissions.allows(Access::Configure, b"orders"));
/// assert!(!permissions.allows(Access::Read, b"amq.topics"));
/// # Ok::<(), leveret::broker::PermissionsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Permissions {
    configure: Pattern,
    write: Pattern,
    read: Pattern,
}

/// How a method accesses an exchange or a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// The method declares or deletes it.
    Configure,
    /// The method publishes to it, or binds it as a destination.
    Write,
    /// The method consumes from it, gets from it, purges it, or binds it as a source.
    Read,
}

impl Permissions {
    /// Creates permissions from the patterns of the names that a user may configure, write to and
    /// read from.
    ///
    /// # Errors
    ///
    /// Returns an error if a pattern is not a regular expression. It names the first of them.
    pub fn new(configure: &str, write: &str, read: &str) -> Result<Self, PermissionsError> {
        Ok(Self {
            configure: Pattern::new(Access::Configure, configure)?,
            write: Pattern::new(Access::Write, write)?,
            read: Pattern::new(Access::Read, read)?,
        })
    }

    /// Creates permissions that allow everything, as three patterns `.*` do.
    pub const fn all() -> Self {
        Self { configure: Pattern::Everything, write: Pattern::Everything, read: Pattern::Everything }
    }

    /// Creates permissions that only allow opening the virtual host, as three empty patterns do.
    pub const fn none() -> Self {
        Self { configure: Pattern::Nothing, write: Pattern::Nothing, read: Pattern::Nothing }
    }

    /// Returns `true` if the user may access the exchange or queue with this name in this way.
    pub fn allows(&self, access: Access, name: &[u8]) -> bool {
        let pattern = match access {
            Access::Configure => &self.configure,
            Access::Write => &self.write,
            Access::Read => &self.read,
        };
        pattern.allows(name)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        })
    }
}

/// The names that are allowed.
#[derive(Debug, Clone)]
enum Pattern {
    Everything,
    Nothing,
    Matching(Regex),
}

impl Pattern {
    fn new(access: Access, pattern: &str) -> Result<Self, PermissionsError> {
        match pattern {
            "" => Ok(Self::Nothing),
            ".*" => Ok(Self::Everything),
            _ => match Regex::new(&byte_by_byte(pattern.as_bytes())) {
                Ok(regex) => Ok(Self::Matching(regex)),
                Err(source) => Err(PermissionsError { access, pattern: pattern.to_owned(), source }),
            },
        }
    }

    fn allows(&self, name: &[u8]) -> bool {
        match self {
            Self::Everything => true,
            Self::Nothing => name.is_empty(),
            Self::Matching(regex) => regex.is_match(&byte_by_byte(name)),
        }
    }
}

/// Converts each byte to a character, so that names that are not UTF-8 can be searched, and a
/// pattern has the same meaning as in RabbitMQ.
fn byte_by_byte(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// A pattern of [`Permissions`] that is not a regular expression.
#[derive(Debug, Clone)]
pub struct PermissionsError {
    access: Access,
    pattern: String,
    source: regex_lite::Error,
}

impl PermissionsError {
    /// Returns which of the three patterns it is.
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Returns the pattern.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }
}

impl fmt::Display for PermissionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the pattern {:?} for {} permission is not a regular expression", self.pattern, self.access)
    }
}

impl std::error::Error for PermissionsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::error::Error;

    use super::*;

    fn reads(pattern: &str, name: &[u8]) -> bool {
        Permissions::new("", "", pattern).unwrap().allows(Access::Read, name)
    }

    #[test]
    fn each_access_has_a_pattern_of_its_own() {
        let permissions = Permissions::new("^c$", "^w$", "^r$").unwrap();
        for (access, name) in [(Access::Configure, b"c"), (Access::Write, b"w"), (Access::Read, b"r")] {
            for other in [Access::Configure, Access::Write, Access::Read] {
                assert_eq!(permissions.allows(other, name), other == access, "{other} {name:?}");
            }
        }
    }

    #[test]
    fn a_pattern_is_searched_for_unless_it_is_anchored() {
        assert!(reads("shop", b"my-shop-1"));
        assert!(!reads("^shop", b"my-shop-1") && reads("^shop", b"shop-1"));
        assert!(!reads("shop$", b"shop-1") && reads("^shop$", b"shop"));
        assert!(!reads("shop", b"Shop"));
    }

    #[test]
    fn an_empty_pattern_allows_no_name_but_the_empty_one() {
        for empty in ["", "^$"] {
            assert!(reads(empty, b"") && !reads(empty, b"q") && !reads(empty, b"amq.default"), "{empty:?}");
        }
    }

    #[test]
    fn all_allows_everything_and_none_nothing() {
        for access in [Access::Configure, Access::Write, Access::Read] {
            for name in [b"q".as_slice(), b"amq.default", b"\xff", b"a\nb"] {
                assert!(Permissions::all().allows(access, name));
                assert!(!Permissions::none().allows(access, name));
            }
        }
        assert!(reads(".*", b"\n"));
    }

    #[test]
    fn names_are_searched_byte_by_byte() {
        assert!(reads("^grün$", "grün".as_bytes()) && !reads("^grün$", b"gr\xfcn"));
        assert!(reads("^.$", b"\xff") && !reads("^.$", "ü".as_bytes()) && reads("^..$", "ü".as_bytes()));
    }

    #[test]
    fn what_is_no_regular_expression_is_named() {
        let error = Permissions::new(".*", "(", ")").unwrap_err();
        assert_eq!((error.access(), error.pattern()), (Access::Write, "("));
        assert_eq!(error.to_string(), r#"the pattern "(" for write permission is not a regular expression"#);
        assert!(error.source().is_some());
        assert_eq!(Permissions::new("", "", "(?=a)").unwrap_err().access(), Access::Read);
    }
}
