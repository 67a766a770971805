//! The trait that every method has: ids, name, direction, and both ways of the wire.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::types;
use crate::{
    ident,
    model::{Class, Field, Method, Sender, Slot},
};

pub(super) fn protocol_method(class: &Class, method: &Method) -> TokenStream {
    let name = ident::type_name(&method.name);
    let index = Literal::u16_unsuffixed(method.index);
    let full_name = format!("{}.{}", class.name, method.name);
    let sent_by = match method.sender {
        Sender::Client => quote!(Client),
        Sender::Server => quote!(Server),
        Sender::Both => quote!(Both),
    };
    let content = method.content;
    let is_request = !method.responses.is_empty();
    let encode = encode(method);
    let decode = decode(method);
    let is_no_wait = is_no_wait(method);
    quote! {
        impl crate::protocol::ProtocolMethod for #name {
            const ID: crate::protocol::MethodId = crate::protocol::MethodId::new(CLASS_ID, #index);
            const NAME: &'static str = #full_name;
            const SENT_BY: crate::protocol::SentBy = crate::protocol::SentBy::#sent_by;
            const HAS_CONTENT: bool = #content;
            const IS_REQUEST: bool = #is_request;
            #encode
            #decode
            #is_no_wait
        }
    }
}

fn encode(method: &Method) -> TokenStream {
    let statements: Vec<_> = method.layout.iter().map(|slot| write_slot(method, slot)).collect();
    let writer = if statements.is_empty() { quote!(_) } else { quote!(writer) };
    let long = allowance(statements.len() * 3);
    quote! {
        #long
        fn encode(&self, #writer: &mut crate::wire::Writer<'_>) -> Result<(), crate::wire::EncodeError> {
            #(#statements)*
            Ok(())
        }
    }
}

fn write_slot(method: &Method, slot: &Slot) -> TokenStream {
    match slot {
        Slot::Value(index) => method.fields.get(*index).map(write_value).unwrap_or_default(),
        Slot::Bits(_) => {
            let bits = shown_bits(method, slot).map(|(position, field)| {
                let name = ident::field(&field.name);
                (position, quote!(self.#name))
            });
            let octet = types::packed(&quote!(u8), bits);
            quote!(writer.octet(#octet);)
        }
    }
}

fn write_value(field: &Field) -> TokenStream {
    if field.reserved {
        return types::write_zero(field.wire);
    }
    let name = ident::field(&field.name);
    let reference = types::by_reference(field).then(|| quote!(&));
    types::write(field, &quote!(#reference self.#name))
}

fn decode(method: &Method) -> TokenStream {
    let statements: Vec<_> = method.layout.iter().map(|slot| read_slot(method, slot)).collect();
    let reader = if statements.is_empty() { quote!(_) } else { quote!(reader) };
    let members = types::shown(method).map(member);
    let long = allowance(method.fields.len() * 3);
    quote! {
        #long
        fn decode(#reader: &mut crate::wire::Reader<'_>) -> Result<Self, crate::wire::DecodeError> {
            #(#statements)*
            Ok(Self { #(#members),* })
        }
    }
}

fn read_slot(method: &Method, slot: &Slot) -> TokenStream {
    match slot {
        Slot::Value(index) => method.fields.get(*index).map(read_value).unwrap_or_default(),
        Slot::Bits(_) => {
            let bits: Vec<_> = shown_bits(method, slot)
                .map(|(position, field)| {
                    let name = ident::local(&field.name);
                    let mask = types::mask(position);
                    quote!(let #name = bits & #mask != 0;)
                })
                .collect();
            let kept = (!bits.is_empty()).then(|| quote!(let bits =));
            quote!(#kept reader.octet()?; #(#bits)*)
        }
    }
}

fn read_value(field: &Field) -> TokenStream {
    if field.reserved {
        return types::skip(field.wire);
    }
    let name = ident::local(&field.name);
    let value = types::read(field);
    quote!(let #name = #value;)
}

/// The member of the struct that a decoded variable becomes.
pub(super) fn member(field: &Field) -> TokenStream {
    let name = ident::field(&field.name);
    let local = ident::local(&field.name);
    if name == local { quote!(#name) } else { quote!(#name: #local) }
}

/// Allows the lint on functions of more than a hundred lines. The caller gives an upper bound of
/// the lines.
pub(super) fn allowance(lines: usize) -> Option<TokenStream> {
    (lines > 100).then(|| quote!(#[allow(clippy::too_many_lines, reason = "as long as the specification wants it")]))
}

/// The bits of a slot that are not reserved, with their positions in the octet.
fn shown_bits<'a>(method: &'a Method, slot: &'a Slot) -> impl Iterator<Item = (usize, &'a Field)> {
    let fields = match slot {
        Slot::Bits(fields) => fields.as_slice(),
        Slot::Value(_) => &[],
    };
    let bits = fields.iter().enumerate();
    bits.filter_map(|(position, &index)| Some((position, method.fields.get(index)?)))
        .filter(|(_, field)| !field.reserved)
}

fn is_no_wait(method: &Method) -> Option<TokenStream> {
    let field = method.fields.iter().find(|field| types::is_no_wait(field))?;
    let name = ident::field(&field.name);
    Some(quote! {
        fn is_no_wait(&self) -> bool {
            self.#name
        }
    })
}
