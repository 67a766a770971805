//! Limits that servers are known to refuse without a message.

use crate::protocol::constants;
use crate::wire::{FieldTable, FieldValue};

/// The smallest `frame_max` that RabbitMQ accepts from 4.1 on: the frame in which a client
/// announces itself, with a token in it, may not fit in 4096 bytes.
const RABBITMQ_4_1: u32 = 8192;

/// The smallest `frame_max` that a server with these properties accepts.
pub(super) fn frame_max(server_properties: &FieldTable) -> u32 {
    let text = |name| match server_properties.get(name) {
        Some(FieldValue::LongString(text)) => text.to_str().ok(),
        _ => None,
    };
    let version = text("version").and_then(major_and_minor);
    match text("product") {
        Some("RabbitMQ") if version >= Some((4, 1)) => RABBITMQ_4_1,
        _ => u32::from(constants::FRAME_MIN_SIZE),
    }
}

/// The first two numbers of a version such as `4.1.0-rc.1`.
fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::frame_max;
    use crate::wire::{FieldTable, FieldValue};

    #[test]
    fn rabbitmq_takes_no_less_than_8192_from_4_1_on() {
        let least = |product: &str, version: &str| {
            let properties = [("product", FieldValue::from(product)), ("version", FieldValue::from(version))];
            frame_max(&FieldTable::from(properties))
        };
        for version in ["4.1.0", "4.1.0-rc.1", "4.3.6", "4.10.0", "5.0.0", "4.1+12.gabc"] {
            assert_eq!(least("RabbitMQ", version), 8192, "{version}");
        }
        for version in ["3.10.8", "4.0.5", "4.0.99", "", "4", "four.one", "%%VSN%%", "99999999999.1"] {
            assert_eq!(least("RabbitMQ", version), 4096, "{version}");
        }
        assert_eq!(least("LavinMQ", "4.1.0"), 4096);
        assert_eq!(frame_max(&FieldTable::new()), 4096);
    }
}
