//! `ReplyCode`, an open newtype, so that a code that is not in the specification is kept.

use std::collections::BTreeSet;

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{constants::is_plain, docs::docs};
use crate::{
    ident,
    model::{Constant, ConstantKind, Protocol},
};

pub(super) fn module(protocol: &Protocol) -> TokenStream {
    let codes: Vec<&Constant> = protocol.constants.iter().filter(|constant| !is_plain(constant)).collect();
    let constants = codes.iter().map(|code| constant(code));
    let name = name(&codes);
    let soft = is_one_of(&codes, ConstantKind::SoftError);
    let hard = is_one_of(&codes, ConstantKind::HardError);
    let formatting = formatting();
    quote! {
        pub use reply_code::ReplyCode;

        mod reply_code {
            use std::fmt;

            /// Why a channel or a connection is closed, or a message is returned. Codes without a
            /// name are kept.
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
            pub struct ReplyCode(u16);

            impl ReplyCode {
                #(#constants)*

                /// Creates the reply code with the number `code`.
                pub const fn new(code: u16) -> Self {
                    Self(code)
                }

                /// Returns the number.
                pub const fn code(self) -> u16 {
                    self.0
                }

                /// Returns the name, such as `NOT_FOUND`, if the specification has one.
                pub const fn name(self) -> Option<&'static str> {
                    #name
                }

                /// Returns `true` if the specification lets it close a channel.
                pub const fn is_soft_error(self) -> bool {
                    #soft
                }

                /// Returns `true` if the specification lets it close the connection.
                pub const fn is_hard_error(self) -> bool {
                    #hard
                }
            }

            #formatting
        }
    }
}

fn constant(code: &Constant) -> TokenStream {
    let docs = docs(&code.docs);
    let name = ident::constant(&code.name);
    let value = Literal::u32_unsuffixed(code.value);
    quote! {
        #docs
        pub const #name: Self = Self(#value);
    }
}

/// If a number has two names, the first one counts.
fn name(codes: &[&Constant]) -> TokenStream {
    let mut seen = BTreeSet::new();
    let first = codes.iter().filter(|code| seen.insert(code.value));
    let (values, names): (Vec<_>, Vec<_>) =
        first.map(|code| (Literal::u32_unsuffixed(code.value), ident::shout(&code.name))).unzip();
    if values.is_empty() {
        return quote!(None);
    }
    quote! {
        Some(match self.0 {
            #(#values => #names,)*
            _ => return None,
        })
    }
}

fn is_one_of(codes: &[&Constant], kind: ConstantKind) -> TokenStream {
    let values: BTreeSet<u32> = codes.iter().filter(|code| code.kind == kind).map(|code| code.value).collect();
    if values.is_empty() {
        return quote!(false);
    }
    let values = values.into_iter().map(Literal::u32_unsuffixed);
    quote!(matches!(self.0, #(#values)|*))
}

fn formatting() -> TokenStream {
    quote! {
        impl fmt::Debug for ReplyCode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "ReplyCode({self})")
            }
        }

        impl fmt::Display for ReplyCode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{} {name}", self.0),
                    None => write!(f, "{}", self.0),
                }
            }
        }

        impl From<u16> for ReplyCode {
            fn from(code: u16) -> Self {
                Self(code)
            }
        }

        impl From<ReplyCode> for u16 {
            fn from(code: ReplyCode) -> Self {
                code.0
            }
        }
    }
}
