//! The text form of the words of recovery.

use super::{Recovery, WhileDown};
use crate::config::parameters::{Access, Codec, Form, Refusal, whole};

/// The bytes that are buffered if a URL names no limit: 8 MiB.
const BUFFERED: u64 = 8 * 1024 * 1024;

pub(in crate::config) const RECOVERY: Codec<Recovery> = Codec {
    read: |text| Recovery::ALL.iter().find(|it| it.as_str() == text).copied().ok_or(Refusal::Malformed),
    check: |_| true,
    print: |recovery| Some(recovery.as_str().to_owned()),
    form: Form::Text,
};

pub(in crate::config) const WHILE_DOWN: Access = Access {
    read: |p, text| {
        p.while_down = match (text, p.while_down) {
            ("wait", _) => WhileDown::Wait,
            ("fail", _) => WhileDown::Fail,
            // The limit may have been read before.
            ("buffer", WhileDown::Buffer(limit)) => WhileDown::Buffer(limit),
            ("buffer", _) => WhileDown::Buffer(BUFFERED),
            _ => return Err(Refusal::Malformed),
        };
        Ok(())
    },
    print: |p| {
        let name = match p.while_down {
            WhileDown::Wait => "wait",
            WhileDown::Fail => "fail",
            WhileDown::Buffer(_) => "buffer",
        };
        vec![name.to_owned()]
    },
    ..Access::PLAIN
};

pub(in crate::config) const WHILE_DOWN_BUFFER: Access = Access {
    read: |p, text| {
        let limit = whole(text)?;
        if limit == 0 {
            return Err(Refusal::OutOfRange);
        }
        if p.while_down == WhileDown::Fail {
            return Err(Refusal::Because("while_down=fail buffers nothing".to_owned()));
        }
        p.while_down = WhileDown::Buffer(limit);
        Ok(())
    },
    check: |p| p.while_down != WhileDown::Buffer(0),
    print: |p| match p.while_down {
        WhileDown::Buffer(limit) => vec![limit.to_string()],
        WhileDown::Wait | WhileDown::Fail => Vec::new(),
    },
    form: Form::Number,
    ..Access::PLAIN
};
