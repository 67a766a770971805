//! The module of a class.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{docs::docs, method, properties, types};
use crate::{
    ident,
    model::{Class, Protocol},
};

pub(super) fn module(protocol: &Protocol, class: &Class) -> TokenStream {
    let docs = docs(&class.docs);
    let name = ident::module(&class.name);
    let index = Literal::u16_unsuffixed(class.index);
    let methods = class.methods.iter().map(|method| method::items(protocol, class, method));
    let properties = types::has_content(class).then(|| properties::items(class));
    quote! {
        #docs
        pub mod #name {
            /// The id of this class on the wire.
            pub const CLASS_ID: u16 = #index;
            #(#methods)*
            #properties
        }
    }
}
