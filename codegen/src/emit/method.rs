//! The struct of a method and what belongs to it.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    codec, dispatch,
    docs::{docs, docs_and_remark},
    replies, setters, types,
};
use crate::{
    ident,
    model::{Class, Field, Method, Protocol, Sender},
};

pub(super) fn items(protocol: &Protocol, class: &Class, method: &Method) -> TokenStream {
    let declaration = declaration(class, method);
    let name = ident::type_name(&method.name);
    let debug = redacts(method).then(|| redacted_debug(&name, types::shown(method)));
    let setters = setters::of_method(method);
    let protocol_method = codec::protocol_method(class, method);
    let request = replies::request(class, method);
    let channel_method =
        is_channel_method(class, method).then(|| quote!(impl crate::protocol::ChannelMethod for #name {}));
    let conversions = dispatch::conversions(protocol, class, method);
    quote! {
        #declaration
        #debug
        #setters
        #protocol_method
        #request
        #channel_method
        #conversions
    }
}

/// Whether a client may send it on an open channel, and neither it nor its answer has content.
pub(super) fn is_channel_method(class: &Class, method: &Method) -> bool {
    let brings_content = method.content || replies::methods(class, method).any(|reply| reply.content);
    !brings_content && method.sender != Sender::Server && !matches!(class.name.as_str(), "connection" | "channel")
}

fn declaration(class: &Class, method: &Method) -> TokenStream {
    let docs = docs_and_remark(&method.docs, &remark(class, method));
    let name = ident::type_name(&method.name);
    let fields = types::shown(method).map(declared_field);
    let derives =
        if redacts(method) { quote!(Clone, Default, PartialEq) } else { quote!(Clone, Debug, Default, PartialEq) };
    quote! {
        #docs
        #[non_exhaustive]
        #[derive(#derives)]
        pub struct #name {
            #(#fields)*
        }
    }
}

fn declared_field(field: &Field) -> TokenStream {
    let docs = docs(&field.docs);
    let name = ident::field(&field.name);
    let declared = types::declared(field, &quote!(super));
    quote! {
        #docs
        pub #name: #declared,
    }
}

/// A line with what the struct does not show: ids, sender, replies, content.
fn remark(class: &Class, method: &Method) -> String {
    let sender = match method.sender {
        Sender::Client => "clients",
        Sender::Server => "servers",
        Sender::Both => "either peer",
    };
    let mut remark = format!("`{}.{}` ({}.{}), sent by {sender}", class.name, method.name, class.index, method.index);
    let replies = replies::methods(class, method).map(|reply| format!("[`{}`]", ident::type_name(&reply.name)));
    let replies: Vec<String> = replies.collect();
    if !replies.is_empty() {
        remark.push_str(", answered by ");
        remark.push_str(&replies.join(" or "));
    }
    if method.content {
        remark.push_str(", followed by content");
    }
    remark.push('.');
    if method.deprecated {
        remark.push_str(" The specification marks it as deprecated.");
    }
    remark
}

fn redacts(method: &Method) -> bool {
    types::shown(method).any(|field| field.secret)
}

fn redacted_debug<'a>(name: &proc_macro2::Ident, fields: impl Iterator<Item = &'a Field>) -> TokenStream {
    let shown = fields.map(|field| {
        let member = ident::field(&field.name);
        let label = member.to_string();
        if field.secret {
            quote!(.field(#label, &format_args!("<redacted>")))
        } else {
            quote!(.field(#label, &self.#member))
        }
    });
    let title = name.to_string();
    quote! {
        impl std::fmt::Debug for #name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(#title) #(#shown)* .finish()
            }
        }
    }
}
