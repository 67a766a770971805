//! A frame in a reply text.

use super::term::octets;

/// Displays a frame as `type 3, all octets = <<"x">>`: its type, and its payload or the first 16
/// bytes of it.
pub(in crate::broker) fn frame(kind: u8, payload: &[u8]) -> String {
    match payload.first_chunk::<16>() {
        Some(front) if payload.len() > 16 => format!("type {kind}, first 16 octets = {}", octets(front)),
        _ => format!("type {kind}, all octets = {}", octets(payload)),
    }
}

#[cfg(test)]
mod tests {
    use super::frame;

    #[test]
    fn a_long_payload_shows_its_front() {
        assert_eq!(frame(4, &[b'a'; 17]), "type 4, first 16 octets = <<\"aaaaaaaaaaaaaaaa\">>");
        assert_eq!(frame(4, &[b'a'; 16]), "type 4, all octets = <<\"aaaaaaaaaaaaaaaa\">>");
        assert_eq!(frame(3, &[0, 60]), "type 3, all octets = <<0,60>>");
    }
}
