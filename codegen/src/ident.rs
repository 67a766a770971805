//! Makes Rust identifiers from the names of the specification. This is the only place that does.
//!
//! A name is split into words at everything that is not an ASCII letter or digit, and where a
//! capital follows a small letter. The words are joined again in the case that Rust requires. The
//! result is always an identifier. Two names may give the same one, which `resolve` reports.

use proc_macro2::{Ident, Span};

/// Keywords of Rust in any edition.
const KEYWORDS: &[&str] = &[
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super",
    "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Modules and primitive types that the module of a class would hide.
const TAKEN_MODULES: &[&str] =
    &["bool", "constants", "core", "dispatch", "reply_code", "std", "str", "traits", "u8", "u16", "u32", "u64"];

/// Names of the prelude that the struct of a method would hide.
const TAKEN_TYPES: &[&str] = &["Default", "From", "Into", "Option", "Result", "TryFrom"];

/// Functions of the generated structs, or of `Call` and `Send`, that a setter would hide.
const TAKEN_FIELDS: &[&str] = &["default", "map"];

/// Constants that the generator itself defines.
const TAKEN_CONSTANTS: &[&str] = &["PORT", "PROTOCOL_HEADER"];

/// The module of a class: `queue`.
pub(crate) fn module(class: &str) -> Ident {
    free(snake(&words(class)), TAKEN_MODULES)
}

/// The struct of a method, from the method's name alone: `DeclareOk`.
pub(crate) fn type_name(method: &str) -> Ident {
    free(camel(&words(method)), TAKEN_TYPES)
}

/// The enum of the several methods that may answer `method`: `GetReply`.
pub(crate) fn reply_enum(method: &str) -> Ident {
    make(format!("{}Reply", camel(&words(method))))
}

/// The variant of `reply_enum` for one response: `Empty` for get's `get-empty`.
pub(crate) fn reply_variant(method: &str, response: &str) -> Ident {
    let (asked, answered) = (words(method), words(response));
    let rest = answered.strip_prefix(asked.as_slice()).filter(|rest| !rest.is_empty());
    make(camel(rest.unwrap_or(&answered)))
}

/// The variant of a method in the enum of all methods: `QueueDeclareOk`.
pub(crate) fn variant(class: &str, method: &str) -> Ident {
    make(camel(&joined(class, method)))
}

/// The friendly function of a method: `queue_declare`.
pub(crate) fn friendly(class: &str, method: &str) -> Ident {
    make(snake(&joined(class, method)))
}

/// A field and its setter: `consumer_tag`; `type` is `kind`.
pub(crate) fn field(name: &str) -> Ident {
    free(snake(&words(name)), TAKEN_FIELDS)
}

/// The variable that holds a field while it is decoded. It avoids the names of the decoder's
/// variables.
pub(crate) fn local(name: &str) -> Ident {
    let field = field(name).to_string();
    match field.as_str() {
        "reader" | "bits" | "word" => make(format!("{field}_")),
        "flags" => make("flags_".to_owned()),
        _ if field.starts_with("flags_") => make(format!("{field}_")),
        _ => make(field),
    }
}

/// A constant: `FRAME_END`.
pub(crate) fn constant(name: &str) -> Ident {
    free(shout(name), TAKEN_CONSTANTS)
}

/// The name of a reply code as brokers write it in reply texts: `NOT_FOUND`.
pub(crate) fn shout(name: &str) -> String {
    leading_letter(words(name).join("_").to_ascii_uppercase())
}

fn joined(class: &str, method: &str) -> Vec<String> {
    let mut all = words(class);
    all.extend(words(method));
    all
}

/// The words of a name in lower case; at least one, so that the result is an identifier.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for c in name.chars() {
        let breaks = !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && after_small);
        if breaks && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_ascii_alphanumeric(), words.last_mut()) {
            word.push(c.to_ascii_lowercase());
        }
        after_small = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    if words.is_empty() {
        words.push("unnamed".to_owned());
    }
    words
}

fn snake(words: &[String]) -> String {
    leading_letter(words.join("_"))
}

fn camel(words: &[String]) -> String {
    let capitalised = words.iter().flat_map(|word| {
        let mut rest = word.chars();
        let first = rest.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(rest)
    });
    leading_letter(capitalised.collect())
}

/// An identifier may not start with a digit.
fn leading_letter(text: String) -> String {
    if text.starts_with(|c: char| c.is_ascii_digit()) { format!("_{text}") } else { text }
}

fn free(text: String, taken: &[&str]) -> Ident {
    if taken.contains(&text.as_str()) { make(format!("{text}_")) } else { make(text) }
}

fn make(text: String) -> Ident {
    let text = match text.as_str() {
        "type" => "kind".to_owned(),
        keyword if KEYWORDS.contains(&keyword) => format!("{keyword}_"),
        _ => text,
    };
    Ident::new(&text, Span::call_site())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_the_case_of_what_they_name() {
        assert_eq!(module("access"), "access");
        assert_eq!(type_name("declare-ok"), "DeclareOk");
        assert_eq!(field("consumer-tag"), "consumer_tag");
        assert_eq!(constant("frame-min-size"), "FRAME_MIN_SIZE");
        assert_eq!(variant("queue", "declare-ok"), "QueueDeclareOk");
        assert_eq!(friendly("queue", "declare-ok"), "queue_declare_ok");
    }

    #[test]
    fn words_part_at_signs_and_before_capitals() {
        assert_eq!(field("messageCount"), "message_count");
        assert_eq!(field("message.count of--it_"), "message_count_of_it");
        assert_eq!(field("x2Y"), "x2_y");
        assert_eq!(type_name("messageCount"), "MessageCount");
        assert_eq!(field("URL"), "url");
    }

    #[test]
    fn a_field_called_type_is_kind() {
        assert_eq!(field("type"), "kind");
    }

    #[test]
    fn a_keyword_gets_a_trailing_underscore() {
        assert_eq!(field("match"), "match_");
        assert_eq!(field("self"), "self_");
        assert_eq!(module("crate"), "crate_");
        assert_eq!(type_name("self"), "Self_");
        assert_eq!(reply_variant("get", "self"), "Self_");
    }

    #[test]
    fn a_keyword_within_a_longer_name_stays() {
        assert_eq!(field("match-type"), "match_type");
        assert_eq!(friendly("type", "use"), "type_use");
    }

    #[test]
    fn a_leading_digit_gets_a_leading_underscore() {
        assert_eq!(field("3d"), "_3d");
        assert_eq!(type_name("3-d"), "_3D");
        assert_eq!(constant("404-found"), "_404_FOUND");
        assert_eq!(friendly("3d", "4d"), "_3d_4d");
    }

    #[test]
    fn a_name_without_letters_is_still_an_identifier() {
        assert_eq!(field("---"), "unnamed");
        assert_eq!(type_name("ü"), "Unnamed");
    }

    #[test]
    fn names_that_the_generated_code_uses_step_aside() {
        assert_eq!(module("constants"), "constants_");
        assert_eq!(module("u16"), "u16_");
        assert_eq!(type_name("option"), "Option_");
        assert_eq!(constant("port"), "PORT_");
        assert_eq!(field("default"), "default_");
    }

    #[test]
    fn the_decoder_keeps_its_variables() {
        assert_eq!(local("reader"), "reader_");
        assert_eq!(local("flags-2"), "flags_2_");
        assert_eq!(local("queue"), "queue");
        assert_eq!(local("default"), "default_");
    }

    #[test]
    fn a_reply_variant_drops_the_name_of_its_request() {
        assert_eq!(reply_variant("get", "get-empty"), "Empty");
        assert_eq!(reply_variant("get", "nothing"), "Nothing");
        assert_eq!(reply_variant("get", "get"), "Get");
        assert_eq!(reply_variant("get", "getter-ok"), "GetterOk");
    }
}
