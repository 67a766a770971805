//! The Rust side of the wire types: how a field is declared, taken, written and read.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

use crate::model::{Class, Field, Method, WireType};

/// Fields with a dedicated type, which is written by hand in `protocol`, by name and wire type.
const OWN_TYPES: &[(&str, WireType, &str)] =
    &[("delivery-mode", WireType::Octet, "DeliveryMode"), ("expiration", WireType::ShortString, "Expiration")];

/// The path of the dedicated type of a field.
fn own_type(field: &Field) -> Option<TokenStream> {
    let (_, _, name) = OWN_TYPES.iter().find(|(name, wire, _)| field.name == *name && field.wire == *wire)?;
    let name = Ident::new(name, Span::call_site());
    Some(quote!(crate::protocol::#name))
}

/// The type of a field in a struct. `root` is the path of the module of `ReplyCode`.
pub(super) fn declared(field: &Field, root: &TokenStream) -> TokenStream {
    if is_reply_code(field) {
        return quote!(#root::ReplyCode);
    }
    if let Some(own) = own_type(field) {
        return own;
    }
    match field.wire {
        WireType::Bit => quote!(bool),
        WireType::Octet => quote!(u8),
        WireType::Short => quote!(u16),
        WireType::Long => quote!(u32),
        WireType::LongLong => quote!(u64),
        WireType::ShortString => quote!(crate::wire::ShortString),
        WireType::LongString => quote!(crate::wire::LongString),
        WireType::Timestamp => quote!(crate::wire::Timestamp),
        WireType::Table => quote!(crate::wire::FieldTable),
        WireType::Content => quote!((u8, crate::wire::LongString)),
    }
}

/// The type that a setter takes.
pub(super) fn taken(field: &Field, root: &TokenStream) -> TokenStream {
    let declared = declared(field, root);
    if converts(field) { quote!(impl Into<#declared>) } else { declared }
}

/// Whether a setter takes anything that converts into the field's type.
pub(super) fn converts(field: &Field) -> bool {
    is_reply_code(field) || own_type(field).is_some() || by_reference(field) || field.wire == WireType::Timestamp
}

/// Whether the writer borrows the value.
pub(super) fn by_reference(field: &Field) -> bool {
    matches!(field.wire, WireType::ShortString | WireType::LongString | WireType::Table)
}

/// Whether the value is borrowed instead of copied.
pub(super) fn is_lent(field: &Field) -> bool {
    by_reference(field) || field.wire == WireType::Content
}

/// Whether the field is a string, which the functions of a channel take by position.
pub(super) fn is_string(field: &Field) -> bool {
    matches!(field.wire, WireType::ShortString | WireType::LongString)
}

/// Whether the field requests that no reply is sent.
pub(super) fn is_no_wait(field: &Field) -> bool {
    let named = matches!(field.name.as_str(), "no-wait" | "nowait");
    field.wire == WireType::Bit && !field.reserved && (named || field.domain.as_deref() == Some("no-wait"))
}

/// Whether the field is a short that holds a reply code.
fn is_reply_code(field: &Field) -> bool {
    field.wire == WireType::Short && field.domain.as_deref() == Some("reply-code")
}

/// Whether a property is not shown in the struct: it is reserved, or has the name `reserved`.
pub(super) fn is_hidden_property(field: &Field) -> bool {
    field.reserved || field.name == "reserved"
}

/// The fields that a method's struct shows.
pub(super) fn shown(method: &Method) -> impl Iterator<Item = &Field> {
    method.fields.iter().filter(|field| !field.reserved)
}

/// Whether the class has content, and so a struct of properties, which may be empty.
pub(super) fn has_content(class: &Class) -> bool {
    !class.properties.is_empty() || class.methods.iter().any(|method| method.content)
}

/// The statement that writes `value`, a place or, for what is borrowed, a reference.
pub(super) fn write(field: &Field, value: &TokenStream) -> TokenStream {
    match field.wire {
        WireType::Bit => quote!(writer.octet(u8::from(#value));),
        WireType::Octet if own_type(field).is_some() => quote!(writer.octet(#value.code());),
        WireType::Octet => quote!(writer.octet(#value);),
        WireType::Short if is_reply_code(field) => quote!(writer.short(#value.code());),
        WireType::Short => quote!(writer.short(#value);),
        WireType::Long => quote!(writer.long(#value);),
        WireType::LongLong => quote!(writer.longlong(#value);),
        WireType::ShortString if own_type(field).is_some() => quote!(writer.short_string(#value.as_ref())?;),
        WireType::ShortString => quote!(writer.short_string(#value)?;),
        WireType::LongString => quote!(writer.long_string(#value)?;),
        WireType::Timestamp => quote!(writer.timestamp(#value);),
        WireType::Table => quote!(writer.table(#value)?;),
        WireType::Content => quote!(writer.octet(#value.0); writer.long_string(&#value.1)?;),
    }
}

/// The statement that writes a reserved field.
pub(super) fn write_zero(wire: WireType) -> TokenStream {
    match wire {
        WireType::Bit | WireType::Octet | WireType::ShortString => quote!(writer.octet(0);),
        WireType::Short => quote!(writer.short(0);),
        WireType::Long | WireType::LongString | WireType::Table => quote!(writer.long(0);),
        WireType::LongLong | WireType::Timestamp => quote!(writer.longlong(0);),
        WireType::Content => quote!(writer.octet(0); writer.long(0);),
    }
}

/// The expression that reads a value.
pub(super) fn read(field: &Field) -> TokenStream {
    let read = read_wire(field);
    match own_type(field) {
        Some(own) => quote!(#own::from(#read)),
        None => read,
    }
}

fn read_wire(field: &Field) -> TokenStream {
    match field.wire {
        WireType::Bit => quote!(reader.octet()? != 0),
        WireType::Octet => quote!(reader.octet()?),
        WireType::Short if is_reply_code(field) => quote!(super::ReplyCode::new(reader.short()?)),
        WireType::Short => quote!(reader.short()?),
        WireType::Long => quote!(reader.long()?),
        WireType::LongLong => quote!(reader.longlong()?),
        WireType::ShortString => quote!(reader.short_string()?),
        WireType::LongString => quote!(reader.long_string()?),
        WireType::Timestamp => quote!(reader.timestamp()?),
        WireType::Table => quote!(reader.table()?),
        WireType::Content => quote!((reader.octet()?, reader.long_string()?)),
    }
}

/// The statement that reads past a reserved field.
pub(super) fn skip(wire: WireType) -> TokenStream {
    match wire {
        WireType::Bit | WireType::Octet => quote!(reader.octet()?;),
        WireType::Short => quote!(reader.short()?;),
        WireType::Long => quote!(reader.long()?;),
        WireType::LongLong => quote!(reader.longlong()?;),
        WireType::ShortString => quote!(reader.short_string_octets()?;),
        WireType::LongString => quote!(reader.long_string()?;),
        WireType::Timestamp => quote!(reader.timestamp()?;),
        WireType::Table => quote!(reader.table()?;),
        WireType::Content => quote!(reader.octet()?; reader.long_string()?;),
    }
}

/// The bit at `position`, as a mask: `1`, `(1 << 3)`.
pub(super) fn mask(position: usize) -> TokenStream {
    if position == 0 {
        return quote!(1);
    }
    let position = Literal::usize_unsuffixed(position);
    quote!((1 << #position))
}

/// Combines bits, each with its position, in one number of type `number`; `0` if there are none.
pub(super) fn packed(number: &TokenStream, bits: impl Iterator<Item = (usize, TokenStream)>) -> TokenStream {
    let terms: Vec<_> = bits
        .map(|(position, bit)| match position {
            0 => (false, quote!(#number::from(#bit))),
            _ => {
                let position = Literal::usize_unsuffixed(position);
                (true, quote!(#number::from(#bit) << #position))
            }
        })
        .collect();
    match terms.as_slice() {
        [] => quote!(0),
        [(_, only)] => only.clone(),
        several => {
            let several = several.iter().map(|(shifted, term)| if *shifted { quote!((#term)) } else { term.clone() });
            quote!(#(#several)|*)
        }
    }
}
