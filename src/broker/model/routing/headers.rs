//! The arguments of bindings of headers exchanges, and how they match the headers of a message.

use crate::broker::words::{Refusal, octets, term, type_name};
use crate::wire::{FieldTable, FieldValue, ShortString};

/// The argument that determines how many of the others must match, and whether those that start
/// with `x-` count.
const X_MATCH: &str = "x-match";

/// How arguments are compared.
#[derive(Clone, Copy)]
struct Rule {
    /// Whether one match suffices.
    any: bool,
    /// Whether names that start with `x-` count, except `x-match`.
    with_x: bool,
}

impl Rule {
    fn parse(arguments: &FieldTable) -> Option<Self> {
        let Some(value) = arguments.get(X_MATCH) else { return Some(Self { any: false, with_x: false }) };
        let FieldValue::LongString(name) = value else { return None };
        match name.as_bytes() {
            b"all" => Some(Self { any: false, with_x: false }),
            b"any" => Some(Self { any: true, with_x: false }),
            b"all-with-x" => Some(Self { any: false, with_x: true }),
            b"any-with-x" => Some(Self { any: true, with_x: true }),
            _ => None,
        }
    }

    fn counts(self, name: &ShortString) -> bool {
        *name != *X_MATCH && (self.with_x || !name.as_bytes().starts_with(b"x-"))
    }
}

/// Refuses with 406 an `x-match` that RabbitMQ does not know.
pub(in crate::broker) fn check_arguments(arguments: &FieldTable) -> Result<(), Refusal> {
    match arguments.get(X_MATCH) {
        _ if Rule::parse(arguments).is_some() => Ok(()),
        Some(FieldValue::LongString(name)) => Err(Refusal::precondition(format!(
            "Invalid x-match field value {}; expected all, any, all-with-x, or any-with-x",
            octets(name.as_bytes())
        ))),
        Some(other) => Err(Refusal::precondition(format!(
            "Invalid x-match field type {} (value {}); expected longstr",
            type_name(other),
            term(other)
        ))),
        None => Ok(()),
    }
}

/// Whether the arguments of a binding match the headers of a message. If no argument counts, `all`
/// matches and `any` does not.
pub(super) fn matches(arguments: &FieldTable, headers: Option<&FieldTable>) -> bool {
    let rule = Rule::parse(arguments).unwrap_or(Rule { any: false, with_x: false });
    let mut counted = arguments.iter().filter(|(name, _)| rule.counts(name));
    let mut is_met = |(name, wanted): (&ShortString, &FieldValue)| {
        let value = headers.and_then(|headers| headers.get(name));
        value.is_some_and(|value| wanted.is_void() || equal(wanted, value))
    };
    if rule.any { counted.any(is_met) } else { counted.all(&mut is_met) }
}

/// Equality as in Erlang: numbers by value, whatever their types, and strings and byte arrays by
/// their bytes.
fn equal(wanted: &FieldValue, value: &FieldValue) -> bool {
    match (wanted, value) {
        (FieldValue::Bool(wanted), FieldValue::Bool(value)) => wanted == value,
        (FieldValue::Decimal(wanted), FieldValue::Decimal(value)) => wanted == value,
        (FieldValue::Void, FieldValue::Void) => true,
        (FieldValue::Table(wanted), FieldValue::Table(value)) => {
            wanted.len() == value.len()
                && wanted.iter().zip(value).all(|(wanted, value)| wanted.0 == value.0 && same(wanted.1, value.1))
        }
        (FieldValue::Array(wanted), FieldValue::Array(value)) => {
            wanted.len() == value.len() && wanted.iter().zip(value).all(|(wanted, value)| same(wanted, value))
        }
        // Both are empty lists in Erlang.
        (FieldValue::Array(array), FieldValue::Table(table)) | (FieldValue::Table(table), FieldValue::Array(array)) => {
            array.is_empty() && table.is_empty()
        }
        _ => match (wanted.as_bytes(), value.as_bytes()) {
            (Some(wanted), Some(value)) => wanted == value,
            (None, None) => equal_numbers(wanted, value),
            _ => false,
        },
    }
}

/// Equality within tables and arrays, where a value is compared with its type.
fn same(wanted: &FieldValue, value: &FieldValue) -> bool {
    type_name(wanted) == type_name(value) && equal(wanted, value)
}

fn equal_numbers(wanted: &FieldValue, value: &FieldValue) -> bool {
    match (integer(wanted), integer(value)) {
        (Some(wanted), Some(value)) => wanted == value,
        (Some(wanted), None) => value.as_f64().is_some_and(|value| is_integer(value, wanted)),
        (None, Some(value)) => wanted.as_f64().is_some_and(|wanted| is_integer(wanted, value)),
        (None, None) => matches!((wanted.as_f64(), value.as_f64()), (Some(wanted), Some(value)) if wanted == value),
    }
}

/// The value of an integer or of a timestamp, in seconds.
fn integer(value: &FieldValue) -> Option<i128> {
    match value {
        FieldValue::Timestamp(value) => Some(i128::from(value.as_secs())),
        _ => value.as_i64().map(i128::from),
    }
}

/// Whether a float equals an integer. It is exact, while a conversion of the integer would round:
/// the digits of a float without a fraction are those of an integer.
fn is_integer(float: f64, integer: i128) -> bool {
    float.fract() == 0.0 && format!("{float:.0}").parse() == Ok(integer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Decimal, LongString, Timestamp};

    fn with(rule: &str, fields: &[(&str, i32)]) -> FieldTable {
        let mut table: FieldTable = fields.iter().copied().collect();
        table.insert("x-match", rule);
        table
    }

    fn match_one(wanted: impl Into<FieldValue>, value: impl Into<FieldValue>) -> bool {
        matches(&FieldTable::from([("k", wanted.into())]), Some(&FieldTable::from([("k", value.into())])))
    }

    #[test]
    fn all_wants_every_argument_met() {
        let arguments = with("all", &[("a", 1), ("b", 2)]);
        assert!(matches(&arguments, Some(&FieldTable::from([("b", 2), ("c", 3), ("a", 1)]))));
        assert!(!matches(&arguments, Some(&FieldTable::from([("a", 1)]))));
        assert!(!matches(&arguments, Some(&FieldTable::from([("a", 1), ("b", 3)]))));
        assert!(!matches(&arguments, None));
    }

    #[test]
    fn all_is_the_rule_where_none_is_given() {
        let arguments = FieldTable::from([("a", 1), ("b", 2)]);
        assert!(matches(&arguments, Some(&arguments)));
        assert!(!matches(&arguments, Some(&FieldTable::from([("a", 1)]))));
    }

    #[test]
    fn any_wants_one_argument_met() {
        let arguments = with("any", &[("a", 1), ("b", 2)]);
        assert!(matches(&arguments, Some(&FieldTable::from([("b", 2)]))));
        assert!(!matches(&arguments, Some(&FieldTable::from([("b", 1), ("a", 2)]))));
        assert!(!matches(&arguments, None));
    }

    #[test]
    fn without_arguments_that_count_all_matches_and_any_does_not() {
        for (rule, expected) in [("all", true), ("all-with-x", true), ("any", false), ("any-with-x", false)] {
            assert_eq!(matches(&with(rule, &[]), None), expected, "{rule}");
            assert_eq!(matches(&with(rule, &[]), Some(&FieldTable::from([("a", 1)]))), expected, "{rule}");
        }
        assert!(matches(&FieldTable::new(), None));
        assert!(!matches(&with("any", &[("x-a", 1)]), Some(&FieldTable::from([("x-a", 1)]))));
    }

    #[test]
    fn arguments_with_x_count_only_where_the_rule_says_so() {
        let headers = FieldTable::from([("a", 1)]);
        assert!(matches(&with("all", &[("a", 1), ("x-b", 2)]), Some(&headers)));
        assert!(!matches(&with("all-with-x", &[("a", 1), ("x-b", 2)]), Some(&headers)));
        let headers = FieldTable::from([("x-b", 2)]);
        assert!(!matches(&with("any", &[("a", 1), ("x-b", 2)]), Some(&headers)));
        assert!(matches(&with("any-with-x", &[("a", 1), ("x-b", 2)]), Some(&headers)));
    }

    #[test]
    fn names_are_compared_with_case() {
        assert!(!matches(&FieldTable::from([("a", 1)]), Some(&FieldTable::from([("A", 1)]))));
    }

    #[test]
    fn a_void_argument_wants_the_header_there_with_any_value() {
        assert!(match_one(FieldValue::Void, 5) && match_one(FieldValue::Void, FieldValue::Void));
        assert!(!matches(&FieldTable::from([("k", FieldValue::Void)]), Some(&FieldTable::from([("l", 5)]))));
        assert!(!match_one(5, FieldValue::Void) && !match_one("", FieldValue::Void));
    }

    #[test]
    fn numbers_are_equal_by_value_whatever_their_types() {
        let ones = [
            FieldValue::I8(1),
            FieldValue::U8(1),
            FieldValue::I16(1),
            FieldValue::U16(1),
            FieldValue::I32(1),
            FieldValue::U32(1),
            FieldValue::I64(1),
            FieldValue::F32(1.0),
            FieldValue::F64(1.0),
            FieldValue::Timestamp(Timestamp::from_secs(1)),
        ];
        for one in &ones {
            assert!(ones.iter().all(|other| match_one(one.clone(), other.clone())), "{one:?}");
            assert!(!match_one(one.clone(), 2) && !match_one(2.5, one.clone()), "{one:?}");
            assert!(!match_one(one.clone(), true) && !match_one(one.clone(), "1"), "{one:?}");
        }
    }

    #[test]
    fn integers_and_floats_are_compared_without_rounding() {
        assert!(!match_one(9_007_199_254_740_993_i64, 9_007_199_254_740_992.0));
        assert!(match_one(9_007_199_254_740_992_i64, 9_007_199_254_740_992.0));
        assert!(match_one(0, -0.0) && !match_one(2, 1.5) && !match_one(1.5, 1) && !match_one(1e300, 1));
    }

    #[test]
    fn strings_are_equal_to_byte_arrays_by_their_octets() {
        let octets = FieldValue::ByteArray(b"ab".as_slice().into());
        assert!(match_one("ab", octets.clone()) && match_one(octets, "ab"));
        assert!(!match_one("ab", "AB"));
    }

    #[test]
    fn values_of_other_kinds_are_equal_to_their_own_kind_alone() {
        let decimal = FieldValue::Decimal(Decimal::new(1, 10));
        assert!(match_one(decimal.clone(), decimal.clone()));
        assert!(!match_one(decimal.clone(), FieldValue::Decimal(Decimal::new(0, 1))) && !match_one(decimal, 1));
        assert!(match_one(true, true) && !match_one(true, false) && !match_one("true", true));
    }

    #[test]
    fn values_in_arrays_and_tables_are_compared_with_types_and_order() {
        let array = |value: FieldValue| FieldValue::Array(vec![value, FieldValue::Void]);
        assert!(match_one(array(1.into()), array(1.into())));
        assert!(!match_one(array(1.into()), array(FieldValue::I64(1))));
        assert!(!match_one(array(1.into()), FieldValue::Array(vec![1.into()])));
        let table = |fields: [(&str, i32); 2]| FieldValue::Table(FieldTable::from(fields));
        assert!(match_one(table([("a", 1), ("b", 2)]), table([("a", 1), ("b", 2)])));
        assert!(!match_one(table([("a", 1), ("b", 2)]), table([("b", 2), ("a", 1)])));
        assert!(match_one(FieldValue::Array(Vec::new()), FieldTable::new()));
    }

    #[test]
    fn an_unknown_x_match_is_refused() {
        let refusal =
            |value: FieldValue| check_arguments(&FieldTable::from([("x-match", value)])).map_err(|no| no.text());
        for known in ["all", "any", "all-with-x", "any-with-x"] {
            assert_eq!(refusal(known.into()), Ok(()));
        }
        assert_eq!(check_arguments(&FieldTable::new()), Ok(()));
        let text = |text: &str| Err(format!("PRECONDITION_FAILED - Invalid x-match field {text}"));
        let unknown = "value <<\"All\">>; expected all, any, all-with-x, or any-with-x";
        assert_eq!(refusal(LongString::from("All").into()), text(unknown));
        assert_eq!(refusal(5.into()), text("type signedint (value 5); expected longstr"));
        assert_eq!(refusal(FieldValue::Void), text("type void (value undefined); expected longstr"));
    }
}
