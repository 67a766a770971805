//! The enum of all methods: from ids on the wire to a value, and back.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{codec, docs::docs, types};
use crate::{
    ident,
    model::{Class, Method, Protocol},
};

/// Generates the enum; nothing for a protocol without methods.
pub(super) fn module(protocol: &Protocol) -> Option<TokenStream> {
    all(protocol).next()?;
    let variants = all(protocol).map(|(class, method)| {
        let docs = docs(&format!("`{}.{}`.", class.name, method.name));
        let (variant, path) = (ident::variant(&class.name, &method.name), path(class, method));
        quote!(#docs #variant(#path),)
    });
    let facts = facts(protocol);
    let decode = decode(protocol);
    let encode = encode(protocol);
    let method_name = method_name(protocol);
    Some(quote! {
        pub use dispatch::{Method, method_name};

        mod dispatch {
            use crate::{
                protocol::{MethodId, ProtocolMethod, SentBy},
                wire::{DecodeError, EncodeError, Reader, Writer},
            };

            /// Any method of the protocol.
            #[non_exhaustive]
            #[allow(clippy::large_enum_variant, reason = "a method is moved once, and then taken apart")]
            #[derive(Clone, Debug, PartialEq)]
            pub enum Method {
                #(#variants)*
            }

            impl Method {
                #facts
                #decode
                #encode
            }

            #method_name
        }
    })
}

/// From the struct to the enum, and back where the method is the one expected.
pub(super) fn conversions(protocol: &Protocol, class: &Class, method: &Method) -> TokenStream {
    let name = ident::type_name(&method.name);
    let variant = ident::variant(&class.name, &method.name);
    let otherwise = (all(protocol).count() > 1).then(|| {
        quote! {
            other => Err(crate::protocol::UnexpectedMethod {
                expected: <Self as crate::protocol::ProtocolMethod>::NAME,
                found: other.name(),
            }),
        }
    });
    quote! {
        impl From<#name> for super::Method {
            fn from(method: #name) -> Self {
                Self::#variant(method)
            }
        }

        impl TryFrom<super::Method> for #name {
            type Error = crate::protocol::UnexpectedMethod;

            fn try_from(method: super::Method) -> Result<Self, Self::Error> {
                match method {
                    super::Method::#variant(method) => Ok(method),
                    #otherwise
                }
            }
        }
    }
}

fn all(protocol: &Protocol) -> impl Iterator<Item = (&Class, &Method)> {
    protocol.classes.iter().flat_map(|class| class.methods.iter().map(move |method| (class, method)))
}

/// The struct, seen from the module of the enum.
fn path(class: &Class, method: &Method) -> TokenStream {
    let (module, name) = (ident::module(&class.name), ident::type_name(&method.name));
    quote!(super::#module::#name)
}

/// What is equal for every value of a method, and whether no reply is requested.
fn facts(protocol: &Protocol) -> TokenStream {
    let id = associated(protocol, &quote!(ID));
    let name = associated(protocol, &quote!(NAME));
    let sent_by = associated(protocol, &quote!(SENT_BY));
    let long = codec::allowance(all(protocol).count() * 3);
    let has_content = one_of(protocol, |method| method.content);
    let is_no_wait = is_no_wait(protocol);
    quote! {
        /// Returns the class and method ids.
        #long
        pub fn id(&self) -> MethodId {
            #id
        }

        /// Returns the name in the specification, such as `queue.declare`.
        #long
        pub fn name(&self) -> &'static str {
            #name
        }

        /// Returns which peers may send it.
        #long
        pub fn sent_by(&self) -> SentBy {
            #sent_by
        }

        /// Returns `true` if content (a header frame and body frames) follows the method frame.
        #long
        pub fn has_content(&self) -> bool {
            #has_content
        }

        /// Returns `true` if the sender requested that no reply is sent.
        #long
        pub fn is_no_wait(&self) -> bool {
            #is_no_wait
        }
    }
}

/// The constant of the trait that belongs to the variant.
fn associated(protocol: &Protocol, constant: &TokenStream) -> TokenStream {
    let arms = all(protocol).map(|(class, method)| {
        let (variant, path) = (ident::variant(&class.name, &method.name), path(class, method));
        quote!(Self::#variant(_) => #path::#constant,)
    });
    quote!(match self { #(#arms)* })
}

fn one_of(protocol: &Protocol, is: impl Fn(&Method) -> bool) -> TokenStream {
    let variants: Vec<_> = all(protocol)
        .filter(|(_, method)| is(method))
        .map(|(class, method)| ident::variant(&class.name, &method.name))
        .collect();
    if variants.is_empty() { quote!(false) } else { quote!(matches!(self, #(Self::#variants(_))|*)) }
}

fn is_no_wait(protocol: &Protocol) -> TokenStream {
    let asking = all(protocol).filter(|(_, method)| method.fields.iter().any(types::is_no_wait));
    let asking: Vec<_> = asking.map(|(class, method)| ident::variant(&class.name, &method.name)).collect();
    if asking.is_empty() {
        return quote!(false);
    }
    let otherwise = (asking.len() < all(protocol).count()).then(|| quote!(_ => false,));
    quote! {
        match self {
            #(Self::#asking(method) => ProtocolMethod::is_no_wait(method),)*
            #otherwise
        }
    }
}

fn decode(protocol: &Protocol) -> TokenStream {
    let long = codec::allowance(all(protocol).count() * 3);
    let arms = all(protocol).map(|(class, method)| {
        let (class_id, method_id) = ids(class, method);
        let variant = ident::variant(&class.name, &method.name);
        quote!((#class_id, #method_id) => ProtocolMethod::decode(reader).map(Self::#variant),)
    });
    quote! {
        /// Decodes the arguments of the method with this id.
        ///
        /// # Errors
        ///
        /// Returns an error if the specification has no method with this id, or if the bytes are
        /// not the arguments of the method.
        #long
        pub fn decode(id: MethodId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
            match (id.class, id.method) {
                #(#arms)*
                _ => Err(DecodeError::unknown_method(id.class, id.method)),
            }
        }
    }
}

fn encode(protocol: &Protocol) -> TokenStream {
    let long = codec::allowance(all(protocol).count() * 3);
    let arms = all(protocol).map(|(class, method)| {
        let variant = ident::variant(&class.name, &method.name);
        quote!(Self::#variant(method) => ProtocolMethod::encode(method, writer),)
    });
    quote! {
        /// Encodes the arguments, without the ids.
        ///
        /// # Errors
        ///
        /// Returns an error if a value cannot be encoded. What was already written stays; the
        /// caller truncates it.
        #long
        pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
            match self { #(#arms)* }
        }
    }
}

fn method_name(protocol: &Protocol) -> TokenStream {
    let long = codec::allowance(all(protocol).count() * 3);
    let arms: Vec<_> = all(protocol)
        .map(|(class, method)| {
            let (class_id, method_id) = ids(class, method);
            let path = path(class, method);
            quote!((#class_id, #method_id) => #path::NAME,)
        })
        .collect();
    quote! {
        /// Returns the name of the method with this id, if the specification has it.
        #long
        pub const fn method_name(id: MethodId) -> Option<&'static str> {
            Some(match (id.class, id.method) {
                #(#arms)*
                _ => return None,
            })
        }
    }
}

fn ids(class: &Class, method: &Method) -> (Literal, Literal) {
    (Literal::u16_unsuffixed(class.index), Literal::u16_unsuffixed(method.index))
}
