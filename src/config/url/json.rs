//! Values of the query that are JSON objects: client properties, and Pika's options for TCP and
//! TLS.

use std::time::Duration;

use serde_json::{Map, Number, Value};

use super::keys::nearest_of;
use crate::config::parameters::Refusal;
use crate::config::{ConnectionParameters, Pem, Secret, Tls};
use crate::wire::{FieldTable, FieldValue, ShortString};

/// How deeply objects and arrays may be nested.
const DEPTH: usize = 32;

fn read_object(text: &str) -> Result<Map<String, Value>, Refusal> {
    let value = serde_json::from_str(text).map_err(|_| Refusal::Malformed)?;
    if names_in_text(text) != names_in(&value) {
        return because("a name is given twice in one object");
    }
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(Refusal::Malformed),
    }
}

/// The number of names of members in a text of JSON. A colon follows each, and all other colons are
/// in strings.
fn names_in_text(text: &str) -> usize {
    let (mut names, mut in_string, mut escaped) = (0, false, false);
    for character in text.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = in_string,
            '"' => in_string = !in_string,
            ':' if !in_string => names += 1,
            _ => {}
        }
    }
    names
}

/// The number of members of all objects in a value. serde_json keeps one of two members with the
/// same name, so that a difference from [`names_in_text`] shows a repetition.
fn names_in(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.len() + object.values().map(names_in).sum::<usize>(),
        Value::Array(values) => values.iter().map(names_in).sum(),
        _ => 0,
    }
}

fn because<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Because(reason.into()))
}

/// Reads a table: numbers without a fraction become integers, null becomes void.
pub(super) fn read_table(text: &str) -> Result<FieldTable, Refusal> {
    table_of(read_object(text)?, 0)
}

fn table_of(object: Map<String, Value>, depth: usize) -> Result<FieldTable, Refusal> {
    let mut table = FieldTable::new();
    for (key, value) in object {
        if key.len() > ShortString::MAX_LEN {
            return because(format!("a name has {} bytes, and at most 255 are allowed", key.len()));
        }
        table.insert(ShortString::from(key), value_of(value, depth + 1)?);
    }
    Ok(table)
}

fn value_of(value: Value, depth: usize) -> Result<FieldValue, Refusal> {
    if depth > DEPTH {
        return because(format!("objects and arrays are nested in each other more than {DEPTH} times"));
    }
    Ok(match value {
        Value::Null => FieldValue::Void,
        Value::Bool(value) => FieldValue::Bool(value),
        Value::Number(number) => number_of(&number)?,
        Value::String(text) => FieldValue::from(text),
        Value::Array(values) => {
            FieldValue::Array(values.into_iter().map(|value| value_of(value, depth + 1)).collect::<Result<_, _>>()?)
        }
        Value::Object(object) => FieldValue::Table(table_of(object, depth)?),
    })
}

fn number_of(number: &Number) -> Result<FieldValue, Refusal> {
    if let Some(whole) = number.as_i64() {
        return Ok(i32::try_from(whole).map_or(FieldValue::I64(whole), FieldValue::I32));
    }
    match number.as_f64() {
        Some(fraction) if !number.is_u64() => Ok(FieldValue::F64(fraction)),
        _ => because("a number does not fit 64 bits with a sign"),
    }
}

/// Prints the entries of a table that JSON can express, or `None` if there are none.
pub(super) fn print_table(table: &FieldTable) -> Option<String> {
    let object = object_of(table);
    (!object.is_empty()).then(|| Value::Object(object).to_string())
}

fn object_of(table: &FieldTable) -> Map<String, Value> {
    // If a table has a key twice, the first one counts.
    let mut object = Map::new();
    for (key, value) in table {
        if let (Ok(key), Some(value)) = (key.to_str(), json_of(value)) {
            object.entry(key).or_insert(value);
        }
    }
    object
}

fn json_of(value: &FieldValue) -> Option<Value> {
    Some(match value {
        FieldValue::Void => Value::Null,
        FieldValue::Bool(value) => Value::Bool(*value),
        FieldValue::F32(value) => Value::Number(Number::from_f64((*value).into())?),
        FieldValue::F64(value) => Value::Number(Number::from_f64(*value)?),
        FieldValue::LongString(text) => Value::from(text.to_str().ok()?),
        FieldValue::Array(values) => Value::Array(values.iter().map(json_of).collect::<Option<_>>()?),
        FieldValue::Table(table) => Value::Object(object_of(table)),
        number => Value::from(number.as_i64()?),
    })
}

/// Reads Pika's socket options, in their own units.
pub(super) fn read_tcp_options(parameters: &mut ConnectionParameters, text: &str) -> Result<(), Refusal> {
    const KNOWN: &[&str] = &["TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT"];

    for (option, value) in read_object(text)? {
        if !KNOWN.contains(&&*option) {
            return because(unknown(&option, KNOWN));
        }
        let Some(value) = value.as_u64().and_then(|value| u32::try_from(value).ok()).filter(|value| *value > 0) else {
            return because(format!("{option} is a whole number above 0"));
        };
        match option.as_str() {
            "TCP_KEEPIDLE" => parameters.tcp_keepalive_idle = Some(Duration::from_secs(value.into())),
            "TCP_KEEPINTVL" => parameters.tcp_keepalive_interval = Some(Duration::from_secs(value.into())),
            "TCP_KEEPCNT" => parameters.tcp_keepalive_count = Some(value),
            _ => parameters.tcp_user_timeout = Some(Duration::from_millis(value.into())),
        }
    }
    Ok(())
}

/// Reads Pika's options of TLS.
pub(super) fn read_tls(tls: &mut Tls, text: &str) -> Result<(), Refusal> {
    const KNOWN: &[&str] = &["ca_certs", "cafile", "certfile", "keyfile", "password", "server_hostname"];

    for (option, value) in read_object(text)? {
        if !KNOWN.contains(&&*option) {
            return because(unknown(&option, KNOWN));
        }
        let Value::String(value) = value else { return because(format!("{option} is a string")) };
        if value.is_empty() {
            return because(format!("{option} is empty"));
        }
        match option.as_str() {
            "ca_certs" | "cafile" if tls.ca.is_some() => {
                return because("ca_certs and cafile set the same; give one of them");
            }
            "ca_certs" | "cafile" => tls.ca = Some(Pem::file(value)),
            "certfile" => tls.certificate = Some(Pem::file(value)),
            "keyfile" => tls.key = Some(Pem::file(value)),
            "password" => tls.key_password = Some(Secret::from(value)),
            _ => tls.server_name = Some(value),
        }
    }
    Ok(())
}

fn unknown(option: &str, known: &[&str]) -> String {
    let all = known.join(", ");
    match &nearest_of(option, known.iter().copied())[..] {
        // A name that is near no known option is not shown: it may be a secret in the wrong place.
        [] => format!("an option in it is unknown: known ones are {all}"),
        nearest => {
            format!("the option {option:?} is unknown, the nearest is {}: known ones are {all}", nearest.join(" or "))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_table_reads_back_as_it_was_printed() {
        let text = r#"{"array":[1,"x",true,null],"flag":false,"fraction":1.5,"large":2147483648,"text":"ü","within":{"a":"b"}}"#;
        let table = read_table(text).unwrap();
        assert_eq!(table.get("large"), Some(&FieldValue::I64(1 << 31)));
        assert_eq!(table.get("fraction"), Some(&FieldValue::F64(1.5)));
        assert_eq!(print_table(&table).as_deref(), Some(text));
    }

    #[test]
    fn what_json_does_not_have_is_left_out() {
        let table = FieldTable::from([
            ("since", FieldValue::Timestamp(crate::wire::Timestamp::from_secs(1))),
            ("kept", FieldValue::Bool(true)),
        ]);
        assert_eq!(print_table(&table).as_deref(), Some(r#"{"kept":true}"#));
        assert_eq!(print_table(&FieldTable::new()), None);
    }

    #[test]
    fn what_is_no_object_or_fits_no_table_is_refused() {
        for text in ["", "[]", "1", "{", "{'a':1}", "{\"a\":1}x"] {
            assert_eq!(read_table(text), Err(Refusal::Malformed), "{text}");
        }
        let nested = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
        let long = format!("{{\"{}\":1}}", "k".repeat(256));
        for text in [nested.as_str(), &long, r#"{"a":18446744073709551615}"#] {
            assert!(matches!(read_table(text), Err(Refusal::Because(_))), "{text}");
        }
    }
}
