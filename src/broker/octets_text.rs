//! Octets in a reply text, as RabbitMQ writes them there: in the notation of Erlang's binaries.

/// `<<"abc">>` where all octets are printable, `<<1,2,3>>` otherwise.
pub(super) fn binary(octets: &[u8]) -> String {
    let printable = |octet: &u8| matches!(octet, b' '..=b'~' | 160..=255 | 8..=13 | 27);
    if octets.is_empty() {
        return "<<>>".to_owned();
    }
    if octets.iter().all(printable) {
        let text: String = octets.iter().map(|&octet| escaped(octet)).collect();
        return format!("<<\"{text}\">>");
    }
    let numbers: Vec<_> = octets.iter().map(u8::to_string).collect();
    format!("<<{}>>", numbers.join(","))
}

fn escaped(octet: u8) -> String {
    match octet {
        b'"' | b'\\' => format!("\\{}", char::from(octet)),
        8 => "\\b".to_owned(),
        9 => "\\t".to_owned(),
        10 => "\\n".to_owned(),
        11 => "\\v".to_owned(),
        12 => "\\f".to_owned(),
        13 => "\\r".to_owned(),
        27 => "\\e".to_owned(),
        other => char::from(other).to_string(),
    }
}

/// `type 3, all octets = <<"x">>`: the type of a frame, and its payload or the front of it.
pub(super) fn frame(kind: u8, payload: &[u8]) -> String {
    match payload.first_chunk::<16>() {
        Some(front) if payload.len() > 16 => format!("type {kind}, first 16 octets = {}", binary(front)),
        _ => format!("type {kind}, all octets = {}", binary(payload)),
    }
}

#[cfg(test)]
mod tests {
    use super::{binary, frame};

    #[test]
    fn printable_octets_are_text_and_others_numbers() {
        assert_eq!(binary(b""), "<<>>");
        assert_eq!(binary(b"abc"), "<<\"abc\">>");
        assert_eq!(binary(&[0, 60, 0]), "<<0,60,0>>");
    }

    #[test]
    fn a_long_payload_shows_its_front() {
        assert_eq!(frame(4, &[b'a'; 17]), "type 4, first 16 octets = <<\"aaaaaaaaaaaaaaaa\">>");
        assert_eq!(frame(4, &[b'a'; 16]), "type 4, all octets = <<\"aaaaaaaaaaaaaaaa\">>");
    }
}
