//! Setters, named like the fields, that take `self` so that they chain.

use proc_macro2::TokenStream;
use quote::quote;

use super::{docs::docs, types};
use crate::{
    ident,
    model::{Class, Field, Method, WireType},
};

/// Operators of the standard library for which a setter of the same name could be mistaken.
const OPERATORS: &[&str] = &["add", "bitand", "bitor", "bitxor", "div", "mul", "rem", "shl", "shr", "sub"];

/// The setters of a method's struct.
pub(super) fn of_method(method: &Method) -> Option<TokenStream> {
    let name = ident::type_name(&method.name);
    let setters = types::shown(method).map(|field| setter(field, |value| value));
    block(&quote!(#name), &setters.collect::<Vec<_>>())
}

/// The setters of a class's properties, which make the property present.
pub(super) fn of_properties(class: &Class) -> Option<TokenStream> {
    let shown = class.properties.iter().filter(|field| !types::is_hidden_property(field));
    let setters = shown.map(|field| match field.wire {
        WireType::Bit => setter(field, |value| value),
        _ => setter(field, |value| quote!(Some(#value))),
    });
    block(&quote!(Properties), &setters.collect::<Vec<_>>())
}

/// Allows the lint on a setter that is named like an operator.
pub(super) fn allowance(field: &Field) -> Option<TokenStream> {
    let operator = OPERATORS.contains(&ident::field(&field.name).to_string().as_str());
    operator.then(|| quote!(#[allow(clippy::should_implement_trait, reason = "setters are named like their fields")]))
}

fn block(name: &TokenStream, setters: &[TokenStream]) -> Option<TokenStream> {
    (!setters.is_empty()).then(|| quote!(impl #name { #(#setters)* }))
}

fn setter(field: &Field, stored: impl Fn(TokenStream) -> TokenStream) -> TokenStream {
    let docs = docs(&field.docs);
    let allowance = allowance(field);
    let name = ident::field(&field.name);
    let taken = types::taken(field, &quote!(super));
    let value = stored(if types::converts(field) { quote!(#name.into()) } else { quote!(#name) });
    quote! {
        #docs
        #[must_use]
        #allowance
        pub fn #name(mut self, #name: #taken) -> Self {
            self.#name = #value;
            self
        }
    }
}
