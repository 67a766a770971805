//! What a specification resolves to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use crate::model::{Class, ConstantKind, Protocol, Sender, Slot, WireType};
use crate::{Source, load};

/// The protocol with that inside, and a domain or two.
fn protocol(inner: &str) -> Protocol {
    let domains = "<domain name='bit' type='bit'/>
        <domain name='queue-name' type='shortstr'>
            <doc>The name of a queue.</doc>
            <assert check='length' value='127'/><assert check='regexp' value='^[a-z]*$'/>
        </domain>";
    let text = format!("<amqp major='0' minor='9' revision='1' port='5672'>{domains}{inner}</amqp>");
    load(&[Source::new("spec.xml", text)]).unwrap()
}

/// A class with two methods that belong together, as nobody has published it.
fn invented() -> Class {
    let inner = "<class name='shelf' index='300'>
        <field name='colour' domain='queue-name'/>
        <field name='reserved' type='shortstr'/>
        <method name='put' index='10' synchronous='1' content='1'>
            <chassis name='server' implement='MUST'/>
            <response name='put-ok'/><response name='full'/>
            <field name='reserved-1' type='short' reserved='1'/>
            <field name='queue' domain='queue-name'><assert check='notnull'/></field>
            <field name='a' domain='bit'/>
            <field name='b' type='bit'/>
            <field name='height' type='long' label='how high'/>
            <field name='c' type='bit'/>
        </method>
        <method name='full' index='12' deprecated='1'><chassis name='client' implement='MAY'/></method>
        <method name='put-ok' index='11'>
            <chassis name='client' implement='MUST'/><chassis name='server' implement='MUST'/>
        </method>
    </class>";
    protocol(inner).classes.remove(0)
}

#[test]
fn the_root_gives_version_and_port() {
    let version = protocol("").version;
    assert_eq!((version.major, version.minor, version.revision, version.port), (0, 9, Some(1), 5672));
}

#[test]
fn a_constant_is_a_number_or_a_reply_code_with_its_severity() {
    let inner = "<constant name='frame-end' value='206'/><constant name='reply-success' value='200'/>
        <constant name='no-route' value='312' class='soft-error'/>
        <constant name='frame-error' value='501' class='hard-error'/>";
    let kinds: Vec<_> = protocol(inner).constants.iter().map(|constant| (constant.value, constant.kind)).collect();
    let expected = [
        (206, ConstantKind::Number),
        (200, ConstantKind::ReplySuccess),
        (312, ConstantKind::SoftError),
        (501, ConstantKind::HardError),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn an_invented_class_keeps_its_numbers_and_order() {
    let class = invented();
    assert_eq!((class.name.as_str(), class.index), ("shelf", 300));
    let methods: Vec<_> = class.methods.iter().map(|method| (method.name.as_str(), method.index)).collect();
    assert_eq!(methods, [("put", 10), ("full", 12), ("put-ok", 11)]);
}

#[test]
fn domains_become_wire_types_and_stay_known() {
    let put = &invented().methods[0];
    let queue = &put.fields[1];
    assert_eq!((queue.domain.as_deref(), queue.wire), (Some("queue-name"), WireType::ShortString));
    assert_eq!((put.fields[2].wire, put.fields[3].wire), (WireType::Bit, WireType::Bit));
    assert_eq!(put.fields[3].domain, None);
}

#[test]
fn neighbouring_bits_share_an_octet() {
    let layout = &invented().methods[0].layout;
    let expected = [Slot::Value(0), Slot::Value(1), Slot::Bits(vec![2, 3]), Slot::Value(4), Slot::Bits(vec![5])];
    assert_eq!(layout, &expected);
}

#[test]
fn a_ninth_bit_starts_an_octet() {
    let bits: String = (0..9).map(|number| format!("<field name='b{number}' type='bit'/>")).collect();
    let method = format!("<method name='m' index='1'><chassis name='server' implement='MUST'/>{bits}</method>");
    let protocol = protocol(&format!("<class name='c' index='1'>{method}</class>"));
    let layout = &protocol.classes[0].methods[0].layout;
    assert_eq!(layout, &[Slot::Bits((0..8).collect()), Slot::Bits(vec![8])]);
}

#[test]
fn responses_are_found_wherever_they_stand_in_the_class() {
    assert_eq!(invented().methods[0].responses, [2, 1]);
}

#[test]
fn the_peer_that_implements_a_method_is_not_the_one_that_sends_it() {
    let senders: Vec<_> = invented().methods.iter().map(|method| method.sender).collect();
    assert_eq!(senders, [Sender::Client, Sender::Server, Sender::Both]);
}

#[test]
fn flags_are_read() {
    let class = invented();
    let [put, full, _] = class.methods.as_slice() else { unreachable!() };
    assert!(put.synchronous && put.content && !put.deprecated);
    assert!(!full.synchronous && !full.content && full.deprecated);
    assert!(put.fields[0].reserved && !put.fields[1].reserved);
}

#[test]
fn a_property_called_reserved_is_reserved() {
    let reserved: Vec<_> = invented().properties.iter().map(|field| field.reserved).collect();
    assert_eq!(reserved, [false, true]);
}

#[test]
fn a_field_is_documented_by_its_domain_and_by_the_asserts_of_both() {
    let expected = "The name of a queue.\n\n\
        The standard asserts at most 127 octets that match `^[a-z]*$`; RabbitMQ does not enforce it. \
        The standard asserts that it is not null.";
    assert_eq!(invented().methods[0].fields[1].docs, expected);
}

#[test]
fn where_there_is_no_prose_a_label_or_a_plain_sentence_stands_in() {
    let class = invented();
    assert_eq!(class.docs, "The class `shelf`.");
    assert_eq!(class.methods[0].docs, "The method `shelf.put`.");
    assert_eq!(class.methods[0].fields[3].docs, "The field `b` of `shelf.put`, a bit.");
    assert_eq!(class.methods[0].fields[4].docs, "How high.");
}

#[test]
fn prose_keeps_its_paragraphs_and_its_entities_and_loses_its_line_breaks() {
    let inner = "<class name='c' index='1'><doc>One &lt;two&gt;\n   three&#33;\n\n  Four <![CDATA[<five>]]>.</doc>
        <doc type='grammar'>c = x</doc><doc>Six.</doc></class>";
    assert_eq!(protocol(inner).classes[0].docs, "One <two> three!\n\nFour <five>.\n\nSix.");
}

#[test]
fn text_directly_in_a_method_is_its_prose() {
    let method = "<method name='m' index='1'>\n  begins\n  work\n<chassis name='server' implement='MUST'/></method>";
    let protocol = protocol(&format!("<class name='c' index='1'>{method}</class>"));
    assert_eq!(protocol.classes[0].methods[0].docs, "begins work");
}

#[test]
fn secrets_are_known_by_their_place() {
    let field = "<field name='response' type='longstr'/>";
    let method = |name: &str, index: u8| {
        format!("<method name='{name}' index='{index}'><chassis name='server' implement='MUST'/>{field}</method>")
    };
    let methods = [method("start-ok", 1), method("tune-ok", 2)].concat();
    let protocol = protocol(&format!("<class name='connection' index='10'>{methods}</class>"));
    let secret: Vec<_> = protocol.classes[0].methods.iter().map(|method| method.fields[0].secret).collect();
    assert_eq!(secret, [true, false]);
}
