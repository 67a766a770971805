//! The macro of the table of parameters: each row makes a field, its documentation, default, setter
//! and URL keys.
//!
//! The rows are in [`parameters`](crate::config::parameters). It is a macro because documentation
//! cannot be attached to a field otherwise, so that the struct, the keys of the URL, what is
//! printed and the table in README.md have one source.

use super::values::Refusal;
use crate::config::ConnectionParameters;

/// A parameter, with its documentation for the table in README.md.
#[derive(Debug)]
#[cfg_attr(not(test), allow(dead_code, reason = "the README's table is checked by a test"))]
pub(in crate::config) struct Row {
    pub(in crate::config) field: &'static str,
    /// Its meaning, in sentences.
    pub(in crate::config) about: &'static str,
    /// The default, as people write it.
    pub(in crate::config) default: &'static str,
    pub(in crate::config) keys: &'static [Key],
}

/// A key of the URL's query. If a field has several keys, those that can express its value print
/// it.
#[derive(Debug)]
pub(in crate::config) struct Key {
    pub(in crate::config) name: &'static str,
    /// What may be given, to complete "allowed is …".
    pub(in crate::config) allowed: &'static str,
    pub(in crate::config) access: Access,
}

/// The type of a key's value in a map of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Form {
    Text,
    Number,
    /// A number, or null for `none`.
    NumberOrNone,
    /// `true` or `false`; in a URL, these words.
    Flag {
        no: &'static str,
        yes: &'static str,
    },
    /// A map; in a URL, a JSON object.
    Object,
}

impl Form {
    pub(in crate::config) const TRUE_OR_FALSE: Self = Self::Flag { no: "false", yes: "true" };
}

/// How a key accesses its field.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Access {
    /// Reads a text into the field.
    pub(in crate::config) read: fn(&mut ConnectionParameters, &str) -> Result<(), Refusal>,
    /// Whether the field is within its bounds.
    pub(in crate::config) check: fn(&ConnectionParameters) -> bool,
    /// The field as texts: none if it is not set or another key prints it, several if the key may
    /// be repeated.
    pub(in crate::config) print: fn(&ConnectionParameters) -> Vec<String>,
    /// Keys that set the same field, and that cannot be given together with this one.
    pub(in crate::config) conflicts: &'static [&'static str],
    /// Whether the key may be given more than once.
    pub(in crate::config) repeats: bool,
    /// Whether the value must never be shown.
    pub(in crate::config) secret: bool,
    /// The type of the value in a map.
    #[cfg_attr(not(feature = "serde"), allow(dead_code, reason = "maps are read with the feature alone"))]
    pub(in crate::config) form: Form,
}

/// How one value is read, checked and printed.
#[derive(Debug)]
pub(in crate::config) struct Codec<T: 'static> {
    pub(in crate::config) read: fn(&str) -> Result<T, Refusal>,
    pub(in crate::config) check: fn(&T) -> bool,
    /// `None` if it is not set.
    pub(in crate::config) print: fn(&T) -> Option<String>,
    /// The type of the value in a map.
    pub(in crate::config) form: Form,
}

/// Makes [`ConnectionParameters`], its defaults, its setters and [`ROWS`](super::ROWS) of rows of
/// this form:
///
/// ```text
/// field: Type = default, "default for people",
///     "What it means.",
///     set |argument: ArgumentType| value,
///     keys { "key" "what may be given" codec CODEC; "other_key" "what may be given" access ACCESS; }
/// ```
///
/// A row without `set` has its setter elsewhere.
macro_rules! parameters {
    (
        $(#[$struct_attribute:meta])*
        struct;
        $(
            $field:ident: $type:ty = $value:expr, $default:literal,
                $about:literal,
                $(set |$argument:ident: $argument_type:ty| $set:expr,)?
                keys { $($key:literal $allowed:literal $kind:ident $with:expr;)* }
        )*
    ) => {
        $(#[$struct_attribute])*
        pub struct ConnectionParameters {
            $(
                #[doc = $about]
                #[doc = ""]
                #[doc = concat!("Default: ", $default, ".", $(" URL key `", $key, "`: ", $allowed, ".",)*)]
                pub $field: $type,
            )*
        }

        impl Default for ConnectionParameters {
            fn default() -> Self {
                Self { $($field: $value,)* }
            }
        }

        /// Setters. The documentation of each field says what is allowed;
        /// [`validate`](ConnectionParameters::validate) checks it.
        impl ConnectionParameters {
            $($(
                #[doc = concat!("Sets [`", stringify!($field), "`](Self#structfield.", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, $argument: $argument_type) -> Self {
                    self.$field = $set;
                    self
                }
            )?)*
        }

        /// The table, in the order of the fields.
        pub(super) const ROWS: &[Row] = &[
            $(Row {
                field: stringify!($field),
                about: $about,
                default: $default,
                keys: &[$(Key {
                    name: $key,
                    allowed: $allowed,
                    access: parameters!(@$kind $field $with),
                },)*],
            },)*
        ];
    };
    (@codec $field:ident $codec:expr) => {
        Access {
            read: |parameters, text| ($codec.read)(text).map(|value| parameters.$field = value),
            check: |parameters| ($codec.check)(&parameters.$field),
            print: |parameters| ($codec.print)(&parameters.$field).into_iter().collect(),
            form: $codec.form,
            ..Access::PLAIN
        }
    };
    (@access $field:ident $access:expr) => { $access };
}
pub(super) use parameters;

impl Access {
    /// The base of most keys: a text that is given once and is no secret, without conflicts. It
    /// reads and prints nothing.
    pub(in crate::config) const PLAIN: Self = Self {
        read: |_, _| Err(Refusal::Malformed),
        check: |_| true,
        print: |_| Vec::new(),
        conflicts: &[],
        repeats: false,
        secret: false,
        form: Form::Text,
    };
}
