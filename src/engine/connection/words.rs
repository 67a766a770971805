//! How the broker's reply code and text are shown for a close, a refusal or a returned message.

use std::fmt;

use crate::protocol::ReplyCode;
use crate::wire::Escaped;

/// Displays a reply code and its text.
///
/// RabbitMQ's texts begin with the name of the code. It is shown once.
pub(crate) struct Words<'a>(pub(crate) ReplyCode, pub(crate) &'a str);

impl<'a> Words<'a> {
    /// The text without the name of its code.
    pub(crate) fn text(&self) -> &'a str {
        let Self(code, text) = *self;
        let rest = code.name().and_then(|name| text.strip_prefix(name));
        rest.and_then(|rest| if rest.is_empty() { Some(rest) } else { rest.strip_prefix(" - ") }).unwrap_or(text)
    }
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            "" => write!(f, "{}", self.0),
            text => write!(f, "{}: {}", self.0, Escaped(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Words;
    use crate::protocol::ReplyCode;

    #[test]
    fn the_name_of_a_code_is_shown_once() {
        let shown = |code, text| Words(code, text).to_string();
        assert_eq!(shown(ReplyCode::NOT_FOUND, "NOT_FOUND - no queue 'q'"), "404 NOT_FOUND: no queue 'q'");
        assert_eq!(shown(ReplyCode::NO_ROUTE, "NO_ROUTE"), "312 NO_ROUTE");
        assert_eq!(shown(ReplyCode::NOT_FOUND, "NOT_FOUNDED"), "404 NOT_FOUND: NOT_FOUNDED");
        assert_eq!(shown(ReplyCode::NOT_ALLOWED, ""), "530 NOT_ALLOWED");
        assert_eq!(shown(ReplyCode::new(999), "- why not"), "999: - why not");
    }

    #[test]
    fn a_broker_forges_no_line() {
        let text = "INTERNAL_ERROR - Feature `x` is deprecated.\nBy default\n\u{1b}[2J";
        let shown = Words(ReplyCode::INTERNAL_ERROR, text).to_string();
        assert_eq!(shown, r"541 INTERNAL_ERROR: Feature `x` is deprecated.\nBy default\n\u{1b}[2J");
    }
}
