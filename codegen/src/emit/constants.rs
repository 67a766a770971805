//! The plain numbers of the protocol: frame types, limits, the protocol header and the port.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::docs::docs;
use crate::{
    ident,
    model::{Constant, ConstantKind, Protocol, Version},
};

pub(super) fn module(protocol: &Protocol) -> TokenStream {
    let version = protocol.version;
    let numbers = protocol_header(version).map(Literal::u8_unsuffixed);
    let port = Literal::u16_unsuffixed(version.port);
    let constants = protocol.constants.iter().filter(|constant| is_plain(constant)).map(constant);
    quote! {
        /// The plain numbers of the protocol.
        pub mod constants {
            /// The first bytes that a client sends: the name and version of the protocol.
            pub const PROTOCOL_HEADER: [u8; 8] = [b'A', b'M', b'Q', b'P', #(#numbers),*];
            /// The port on which servers listen, without TLS.
            pub const PORT: u16 = #port;
            #(#constants)*
        }
    }
}

/// What follows `AMQP`. Before 0-9-1 there was a class and an instance of the protocol in place of
/// the revision.
fn protocol_header(version: Version) -> [u8; 4] {
    match version.revision {
        Some(revision) => [0, version.major, version.minor, revision],
        None => [1, 1, version.major, version.minor],
    }
}

/// Whether the constant is not a reply code, or is too large to be one on the wire.
pub(super) fn is_plain(constant: &Constant) -> bool {
    constant.kind == ConstantKind::Number || u16::try_from(constant.value).is_err()
}

fn constant(constant: &Constant) -> TokenStream {
    let docs = docs(&constant.docs);
    let name = ident::constant(&constant.name);
    let number = smallest_number(constant.value);
    let value = Literal::u32_unsuffixed(constant.value);
    quote! {
        #docs
        pub const #name: #number = #value;
    }
}

fn smallest_number(value: u32) -> TokenStream {
    if u8::try_from(value).is_ok() {
        quote!(u8)
    } else if u16::try_from(value).is_ok() {
        quote!(u16)
    } else {
        quote!(u32)
    }
}
