//! The properties of a class's content: flag words, then the values that are present.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::{codec, docs::docs, setters, types};
use crate::{
    ident,
    model::{Class, Field, WireType},
};

/// The number of flags in a flag word, whose lowest bit indicates that another word follows.
const FLAGS_PER_WORD: usize = 15;

pub(super) fn items(class: &Class) -> TokenStream {
    let declaration = declaration(class);
    let debug = debug(class);
    let setters = setters::of_properties(class);
    let encode = encode(class);
    let decode = decode(class);
    quote! {
        #declaration
        #debug
        #setters
        impl crate::protocol::ContentProperties for Properties {
            const CLASS_ID: u16 = CLASS_ID;
            #encode
            #decode
        }
    }
}

fn shown(class: &Class) -> impl Iterator<Item = &Field> {
    class.properties.iter().filter(|field| !types::is_hidden_property(field))
}

fn declaration(class: &Class) -> TokenStream {
    let title = docs(&format!("The properties of a message of class `{}`; each may be absent.", class.name));
    let fields = shown(class).map(|field| {
        let docs = docs(&field.docs);
        let name = ident::field(&field.name);
        let declared = types::declared(field, &quote!(super));
        let optional = if field.wire == WireType::Bit { declared } else { quote!(Option<#declared>) };
        quote!(#docs pub #name: #optional,)
    });
    quote! {
        #title
        #[non_exhaustive]
        #[derive(Clone, Default, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
        pub struct Properties {
            #(#fields)*
        }
    }
}

/// Shows only what is present.
fn debug(class: &Class) -> TokenStream {
    let long = codec::allowance(class.properties.len() * 3 + 2);
    let fields: Vec<_> = shown(class).map(debug_field).collect();
    let body = if fields.is_empty() {
        quote!(f.write_str("Properties"))
    } else {
        quote! {
            let mut shown = f.debug_struct("Properties");
            #(#fields)*
            shown.finish()
        }
    };
    quote! {
        impl std::fmt::Debug for Properties {
            #long
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                #body
            }
        }
    }
}

fn debug_field(field: &Field) -> TokenStream {
    let name = ident::field(&field.name);
    let label = name.to_string();
    if field.wire == WireType::Bit {
        return quote!(if self.#name { shown.field(#label, &true); });
    }
    if field.secret {
        return quote!(if self.#name.is_some() { shown.field(#label, &format_args!("<redacted>")); });
    }
    quote!(if let Some(value) = &self.#name { shown.field(#label, value); })
}

/// One variable per flag word: `flags` alone, or `flags_1`, `flags_2` and so on.
fn words(class: &Class) -> Vec<(Ident, &[Field])> {
    let chunks: Vec<_> = class.properties.chunks(FLAGS_PER_WORD).collect();
    match chunks.as_slice() {
        [] => vec![(format_ident!("flags"), &[])],
        [only] => vec![(format_ident!("flags"), only)],
        several => several.iter().zip(1_usize..).map(|(chunk, n)| (format_ident!("flags_{n}"), *chunk)).collect(),
    }
}

/// The properties of a flag word with the positions of their flags; the first is the highest bit.
fn flagged(properties: &[Field]) -> impl Iterator<Item = (usize, &Field)> {
    (1..=FLAGS_PER_WORD).rev().zip(properties)
}

fn encode(class: &Class) -> TokenStream {
    let words = words(class);
    let following = words.iter().skip(1).map(|(word, _)| Some(word)).chain([None]);
    let mut flags: Vec<_> =
        words.iter().zip(following).map(|((word, fields), next)| collect(word, fields, next)).collect();
    // A word depends on the one that follows it.
    flags.reverse();
    let first = words.iter().take(1).map(|(word, _)| quote!(writer.short(#word);));
    let others = words.iter().skip(1).map(|(word, _)| quote!(if #word != 0 { writer.short(#word); }));
    let values = shown(class).filter(|field| field.wire != WireType::Bit).map(|field| {
        let name = ident::field(&field.name);
        let borrowed = types::is_lent(field).then(|| quote!(&));
        let write = types::write(field, &quote!(value));
        quote!(if let Some(value) = #borrowed self.#name { #write })
    });
    let long = codec::allowance(class.properties.len() * 4 + words.len() * 5);
    quote! {
        #long
        fn encode(&self, writer: &mut crate::wire::Writer<'_>) -> Result<(), crate::wire::EncodeError> {
            #(#flags)*
            #(#first)*
            #(#others)*
            #(#values)*
            Ok(())
        }
    }
}

/// The statement that computes a flag word from what is present.
fn collect(word: &Ident, properties: &[Field], next: Option<&Ident>) -> TokenStream {
    let present =
        flagged(properties).filter(|(_, field)| !types::is_hidden_property(field)).map(|(position, field)| {
            let name = ident::field(&field.name);
            let present = if field.wire == WireType::Bit { quote!(self.#name) } else { quote!(self.#name.is_some()) };
            (position, present)
        });
    let more = next.map(|next| (0, quote!(#next != 0)));
    let flags = types::packed(&quote!(u16), present.chain(more));
    quote!(let #word = #flags;)
}

fn decode(class: &Class) -> TokenStream {
    let words = words(class);
    let read_flags = read_flags(&words);
    let values =
        words.iter().flat_map(|(word, fields)| flagged(fields).map(move |(bit, field)| read_value(word, bit, field)));
    let members = shown(class).map(codec::member);
    let long = codec::allowance(class.properties.len() * 6 + words.len() * 8);
    quote! {
        #long
        fn decode(reader: &mut crate::wire::Reader<'_>) -> Result<Self, crate::wire::DecodeError> {
            #read_flags
            #(#values)*
            Ok(Self { #(#members),* })
        }
    }
}

/// Reads the flag words that the class uses, refuses flags of no property, and skips empty words.
fn read_flags(words: &[(Ident, &[Field])]) -> TokenStream {
    let mut previous: Option<&Ident> = None;
    let mut statements = TokenStream::new();
    for (word, properties) in words {
        let read = previous.map_or_else(
            || quote!(reader.short()?),
            |previous| quote!(if #previous & 1 != 0 { reader.short()? } else { 0 }),
        );
        statements.extend(quote!(let #word = #read;));
        statements.extend(refuse_unknown(word, properties.len()));
        previous = Some(word);
    }
    let refuse = refuse_unknown(&format_ident!("word"), 0);
    quote! {
        #statements
        let mut word = #previous;
        while word & 1 != 0 {
            word = reader.short()?;
            #refuse
        }
    }
}

/// Refuses the flags below those of the first `known` properties, except the lowest, which is not a
/// flag.
fn refuse_unknown(word: &Ident, known: usize) -> Option<TokenStream> {
    let below = FLAGS_PER_WORD.saturating_sub(known);
    let unknown = match below {
        0 => return None,
        FLAGS_PER_WORD => quote!(!1),
        _ => {
            let mask: u16 = (2 << below) - 2;
            let mask = format!("{mask:#06x}").parse().unwrap_or_else(|_| Literal::u16_unsuffixed(mask));
            quote!(#mask)
        }
    };
    Some(quote! {
        if #word & #unknown != 0 {
            return Err(crate::wire::DecodeError::unknown_property_flags(#word));
        }
    })
}

fn read_value(word: &Ident, position: usize, field: &Field) -> TokenStream {
    let mask = types::mask(position);
    let name = ident::local(&field.name);
    match (types::is_hidden_property(field), field.wire) {
        // The flag of a bit is its value.
        (true, WireType::Bit) => TokenStream::new(),
        (false, WireType::Bit) => quote!(let #name = #word & #mask != 0;),
        (true, wire) => {
            let skip = types::skip(wire);
            quote!(if #word & #mask != 0 { #skip })
        }
        (false, _) => {
            let read = types::read(field);
            quote!(let #name = if #word & #mask != 0 { Some(#read) } else { None };)
        }
    }
}
