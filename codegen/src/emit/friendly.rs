//! The methods of a channel, such as `queue_declare`, for APIs whose `call` and `send` take any
//! request.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    docs::{docs, docs_and_list},
    method::is_channel_method,
    setters, types,
};
use crate::{
    ident,
    model::{Class, Field, Method, Protocol},
};

/// The methods that change a channel's state, which are written by hand for each API.
const BY_HAND: &[(&str, &str)] = &[
    ("basic", "consume"),
    ("basic", "cancel"),
    ("basic", "get"),
    ("basic", "publish"),
    ("basic", "ack"),
    ("basic", "nack"),
    ("basic", "reject"),
    ("confirm", "select"),
];

/// The number of positional arguments that clippy accepts besides `self`.
const FEW_ARGUMENTS: usize = 6;

/// The types of the API for which the functions are.
#[derive(Clone, Copy)]
pub(super) enum Types {
    /// `Channel`, and `Call<'_, Request>`.
    Plain,
    /// `Channel<S>`, and `Call<'_, S, Request>`: with the state that handlers are lent.
    WithState,
}

impl Types {
    /// The parameters after `impl`, after `Channel`, and before the request.
    fn parameters(self) -> [TokenStream; 3] {
        match self {
            Self::Plain => [quote!(), quote!(), quote!()],
            Self::WithState => [quote!(<S: 'static>), quote!(<S>), quote!(S,)],
        }
    }
}

/// The functions of `Channel`, and the setters of what they return; the bindings are in `module`.
pub(super) fn channel(protocol: &Protocol, module: &TokenStream, types: Types) -> TokenStream {
    let all = protocol.classes.iter().flat_map(|class| class.methods.iter().map(move |method| (class, method)));
    all.filter(|(class, method)| is_friendly(class, method))
        .map(|(class, method)| items(class, method, module, types))
        .collect()
}

/// Whether an application sends it on its own initiative, not as an answer to a method of the peer.
fn is_friendly(class: &Class, method: &Method) -> bool {
    let by_hand = BY_HAND.contains(&(class.name.as_str(), method.name.as_str()));
    let mut answered = class.methods.iter().flat_map(|request| &request.responses);
    let answers = answered.any(|&response| class.methods.get(response).is_some_and(|reply| reply.name == method.name));
    is_channel_method(class, method) && !by_hand && !answers
}

fn items(class: &Class, method: &Method, module: &TokenStream, types: Types) -> TokenStream {
    let [generics, state, before] = types.parameters();
    let (class_module, name) = (ident::module(&class.name), ident::type_name(&method.name));
    let request = quote!(#module::#class_module::#name);
    let (wrapper, verb) =
        if method.responses.is_empty() { (quote!(SendMethod), quote!(send)) } else { (quote!(Call), quote!(call)) };
    let fields: Vec<&Field> = types::shown(method).collect();
    let leading = fields.iter().take_while(|field| types::is_string(field)).count();
    let (positional, optional) = fields.split_at_checked(leading).unwrap_or((&fields, &[]));
    let function = function(class, method, positional, &quote!(#wrapper<'_, #before #request>), &verb, &request);
    let setters: Vec<_> =
        optional.iter().filter(|field| !types::is_no_wait(field)).map(|field| setter(field, module)).collect();
    let setters = (!setters.is_empty()).then(|| quote!(impl #generics #wrapper<'_, #before #request> { #(#setters)* }));
    quote! {
        impl #generics Channel #state { #function }
        #setters
    }
}

fn function(
    class: &Class,
    method: &Method,
    positional: &[&Field],
    returned: &TokenStream,
    verb: &TokenStream,
    request: &TokenStream,
) -> TokenStream {
    let listed = positional.iter().map(|field| (ident::field(&field.name).to_string(), field.docs.as_str()));
    let docs = docs_and_list(&method.docs, listed);
    let many = (positional.len() > FEW_ARGUMENTS)
        .then(|| quote!(#[allow(clippy::too_many_arguments, reason = "the specification has as many")]));
    let name = ident::friendly(&class.name, &method.name);
    let arguments: Vec<_> = positional.iter().map(|field| ident::field(&field.name)).collect();
    let taken = positional.iter().map(|field| types::taken(field, &TokenStream::new()));
    quote! {
        #docs
        #many
        pub fn #name(&self, #(#arguments: #taken),*) -> #returned {
            self.#verb(#request::default() #(.#arguments(#arguments))*)
        }
    }
}

/// A setter of `Call` or `SendMethod`. These types are already `must_use`.
fn setter(field: &Field, module: &TokenStream) -> TokenStream {
    let docs = docs(&field.docs);
    let allowance = setters::allowance(field);
    let name = ident::field(&field.name);
    let taken = types::taken(field, module);
    let request = if name == "request" { quote!(method) } else { quote!(request) };
    quote! {
        #docs
        #allowance
        pub fn #name(self, #name: #taken) -> Self {
            self.map(|#request| #request.#name(#name))
        }
    }
}
