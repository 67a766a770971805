//! The words and keys of the parameters of recovery.

use super::{ChannelRecovery, Recovery, Resend, WhileDown};
use crate::config::parameters::{Access, Codec, Form, Refusal, whole};

/// Reads one of several words.
fn read_word<T: Copy>(words: &[(&str, T)], text: &str) -> Result<T, Refusal> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or(Refusal::Malformed)
}

/// Prints the word of a value.
fn print_word<T: PartialEq>(words: &[(&str, T)], value: &T) -> Option<String> {
    words.iter().find(|(_, other)| other == value).map(|(word, _)| (*word).to_owned())
}

macro_rules! word_codec {
    ($type:ty { $($word:literal = $value:ident,)* }) => {
        Codec::<$type> {
            read: |text| read_word(&[$(($word, <$type>::$value)),*], text),
            check: |_| true,
            print: |value| print_word(&[$(($word, <$type>::$value)),*], value),
            form: Form::Text,
        }
    };
}

pub(in crate::config) const RECOVERY: Codec<Recovery> =
    word_codec!(Recovery { "none" = None, "connection" = Connection, "topology" = Topology, });

pub(in crate::config) const RESEND: Codec<Resend> =
    word_codec!(Resend { "none" = None, "not_sent" = NotSent, "all" = All, });

pub(in crate::config) const CHANNEL_RECOVERY: Codec<ChannelRecovery> =
    word_codec!(ChannelRecovery { "none" = None, "ack_timeout" = AckTimeout, "all" = All, });

/// The policy. How much is buffered has a key of its own.
pub(in crate::config) const WHILE_DOWN: Access = Access {
    read: |p, text| {
        p.while_down = match (text, p.while_down) {
            ("wait", _) => WhileDown::Wait,
            ("fail", _) => WhileDown::Fail,
            // The URL in a map of settings may have the number already.
            ("buffer", WhileDown::Buffer(octets)) => WhileDown::Buffer(octets),
            ("buffer", _) => WhileDown::Buffer(WhileDown::DEFAULT_BUFFER),
            _ => return Err(Refusal::Malformed),
        };
        Ok(())
    },
    print: |p| {
        let word = match p.while_down {
            WhileDown::Wait => "wait",
            WhileDown::Fail => "fail",
            WhileDown::Buffer(_) => "buffer",
        };
        vec![word.to_owned()]
    },
    ..Access::PLAIN
};

/// It is read after [`WHILE_DOWN`], whatever their order in a URL, because keys are read in the
/// order of the table.
pub(in crate::config) const WHILE_DOWN_BUFFER: Access = Access {
    read: |p, text| {
        let octets = whole(text)?;
        match &mut p.while_down {
            WhileDown::Buffer(present) => *present = octets,
            _ => return Err(Refusal::Needs("it is for while_down=buffer: give that too, or leave this out")),
        }
        Ok(())
    },
    check: |p| !matches!(p.while_down, WhileDown::Buffer(0)),
    print: |p| match p.while_down {
        WhileDown::Buffer(octets) => vec![octets.to_string()],
        _ => Vec::new(),
    },
    form: Form::Number,
    ..Access::PLAIN
};
