//! The reply of a method: one method, or an enum of several.

use proc_macro2::TokenStream;
use quote::quote;

use super::docs::docs;
use crate::{
    ident,
    model::{Class, Method},
};

/// The methods that may answer `method`.
pub(super) fn methods<'a>(class: &'a Class, method: &'a Method) -> impl Iterator<Item = &'a Method> {
    method.responses.iter().filter_map(|&response| class.methods.get(response))
}

/// The `Request` implementation of a method that is answered, and the enum of its replies if there
/// are several.
pub(super) fn request(class: &Class, method: &Method) -> Option<TokenStream> {
    let name = ident::type_name(&method.name);
    let replies: Vec<_> = methods(class, method).map(|reply| ident::type_name(&reply.name)).collect();
    let (reply, several) = match replies.as_slice() {
        [] => return None,
        [only] => (only.clone(), None),
        _ => (ident::reply_enum(&method.name), Some(reply_enum(class, method))),
    };
    Some(quote! {
        impl crate::protocol::Request for #name {
            type Reply = #reply;
            const REPLIES: &'static [crate::protocol::MethodId] =
                &[#(<#replies as crate::protocol::ProtocolMethod>::ID),*];
        }
        #several
    })
}

fn reply_enum(class: &Class, method: &Method) -> TokenStream {
    let name = ident::reply_enum(&method.name);
    let title = docs(&format!("The replies to `{}.{}`.", class.name, method.name));
    let prose = methods(class, method).map(|reply| docs(&reply.docs));
    let replies: Vec<_> = methods(class, method).map(|reply| ident::type_name(&reply.name)).collect();
    let variants: Vec<_> =
        methods(class, method).map(|reply| ident::reply_variant(&method.name, &reply.name)).collect();
    let all: Vec<_> = methods(class, method).map(|reply| ident::variant(&class.name, &reply.name)).collect();
    let names: Vec<_> = methods(class, method).map(|reply| format!("{}.{}", class.name, reply.name)).collect();
    let expected = names.join(" or ");
    quote! {
        #title
        #[non_exhaustive]
        #[allow(clippy::large_enum_variant, reason = "a reply is moved once, and then taken apart")]
        #[derive(Clone, Debug, PartialEq)]
        pub enum #name {
            #(#prose #variants(#replies),)*
        }

        impl TryFrom<super::Method> for #name {
            type Error = crate::protocol::UnexpectedMethod;

            fn try_from(method: super::Method) -> Result<Self, Self::Error> {
                match method {
                    #(super::Method::#all(reply) => Ok(Self::#variants(reply)),)*
                    other => Err(crate::protocol::UnexpectedMethod { expected: #expected, found: other.name() }),
                }
            }
        }
    }
}
