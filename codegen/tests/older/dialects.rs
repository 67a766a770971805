//! Invented files in the dialects of 0-8, 0-9 and Qpid. What comes of them is in the golden files
//! of the same names.

use leveret_codegen::facts::facts;
use leveret_codegen::model::{ConstantKind, WireType};
use leveret_codegen::{Source, Specification, emit};

use crate::{loaded, text, warnings};

fn fixture(name: &str) -> Specification {
    loaded(Source::new(name, text(&format!("golden/{name}"))))
}

#[test]
fn names_with_spaces_are_those_with_hyphens() {
    let tree = fixture("older-spaces.xml").tree;
    let facts = facts(&tree);
    let expected = [
        "protocol major 7 minor 2 port 5999",
        "constant out-of-ink 390 soft-error",
        "method press.print response jammed-here",
        "field press.print.tray domain tray-number",
        "field press.print-ok.copies assert le print.copies",
    ];
    for fact in expected {
        assert!(facts.iter().any(|candidate| candidate == fact), "{fact}");
    }
    assert!(facts.iter().all(|fact| !fact.contains("tray number")));
}

#[test]
fn reply_codes_with_spaces_keep_their_severity() {
    let kinds: Vec<_> = fixture("older-spaces.xml").protocol.constants.iter().map(|constant| constant.kind).collect();
    let expected = [ConstantKind::Number, ConstantKind::ReplySuccess, ConstantKind::SoftError, ConstantKind::HardError];
    assert_eq!(kinds, expected);
}

#[test]
fn what_is_passed_over_in_the_dialect_of_0_8_is_told_with_its_place() {
    let expected = [
        "older-spaces.xml:3:1: warning: /amqp: no attribute `revision`: the protocol header is that of versions before 0-9-1",
        "older-spaces.xml:4:3: warning: /amqp: text where the format has none is passed over",
        "older-spaces.xml:5:13: warning: /amqp/constant[frame-end]: `frame end` is read as `frame-end`, and so on in this file",
        "older-spaces.xml:12:13: warning: /amqp/domain[tray-number]/assert[ne]: passed over: unknown check `ne`: \
         there are `notnull`, `length`, `regexp`, `le`",
        "older-spaces.xml:17:5: warning: /amqp/class[press]/rule: passed over: the attribute `name` is missing",
        "older-spaces.xml:17:44: warning: /amqp/class[press]/rule: `test` is passed over",
        "older-spaces.xml:19:5: warning: /amqp/class[press]: `see` is passed over",
        "older-spaces.xml:30:42: warning: /amqp/class[press]/method[print]/field[two-sided]: `test` is passed over",
        "older-spaces.xml:33:17: warning: /amqp/class[press]/method[print]/field[copies]/assert[enum]: passed over: \
         unknown check `enum`: there are `notnull`, `length`, `regexp`, `le`",
        "older-spaces.xml:48:56: warning: /amqp/class[press]/method[jammed-here]/field[reply-text]/assert[syntax]: \
         passed over: unknown check `syntax`: there are `notnull`, `length`, `regexp`, `le`",
    ];
    assert_eq!(warnings(&fixture("older-spaces.xml")), expected);
}

#[test]
fn what_is_passed_over_is_not_in_the_documentation() {
    let protocol = fixture("older-spaces.xml").protocol;
    let press = protocol.classes.first().unwrap();
    assert_eq!(press.docs, "prints pages");
    let docs = |method: usize, field: usize| press.methods.get(method).unwrap().fields.get(field).unwrap().docs.clone();
    assert_eq!(docs(0, 0), "Which tray.");
    assert_eq!(docs(0, 4), "The field `copies` of `press.print`, an octet.");
    let asserted = "The field `copies` of `press.print-ok`, an octet.\n\n\
        The standard asserts that it is at most the `copies` of `print`.";
    assert_eq!(docs(1, 0), asserted);
}

#[test]
fn a_protocol_before_0_9_1_has_the_header_of_its_time() {
    let header = |name: &str| {
        let rust = emit::protocol(&fixture(name).protocol).unwrap();
        let line = rust.lines().find(|line| line.contains("PROTOCOL_HEADER")).unwrap();
        line.split_once(" = ").unwrap().1.to_owned()
    };
    assert_eq!(header("older-spaces.xml"), "[b'A', b'M', b'Q', b'P', 1, 1, 7, 2];");
    assert_eq!(header("older-content.xml"), "[b'A', b'M', b'Q', b'P', 1, 1, 0, 9];");
    assert_eq!(header("older-mixed.xml"), "[b'A', b'M', b'Q', b'P', 0, 0, 9, 1];");
}

#[test]
fn content_is_a_type_whether_a_domain_declares_it_or_not() {
    let specification = fixture("older-content.xml");
    let expected = [
        "older-content.xml:3:1: warning: /amqp: no attribute `revision`: the protocol header is that of versions before 0-9-1",
        "older-content.xml:15:26: warning: /amqp/class[post]/method[send]/field[body]: \
         the domain `content` is not declared: read as the type of that name",
        "older-content.xml:17:47: warning: /amqp/class[post]/method[send]/field[stamp]/assert[prime]: passed over: \
         unknown check `prime`: there are `notnull`, `length`, `regexp`, `le`",
    ];
    assert_eq!(warnings(&specification), expected);
    let post = specification.protocol.classes.first().unwrap();
    let body = post.methods.first().unwrap().fields.get(1).unwrap();
    assert_eq!((body.wire, body.domain.as_deref(), body.secret), (WireType::Content, Some("content"), true));
    assert_eq!(post.properties.first().unwrap().wire, WireType::Content);
}

#[test]
fn one_name_with_a_space_is_told_of() {
    let expected = [
        "older-mixed.xml:3:17: warning: /amqp: version 0-91 is read as 0-9-1",
        "older-mixed.xml:9:29: warning: /amqp/class[shelf]/method[bound]/field[shelf]: \
         `shelf name` is read as `shelf-name`, and so on in this file",
        "older-mixed.xml:11:45: warning: /amqp/class[shelf]/method[bound-ok]: \
         carries content, and the class `shelf` has no properties to describe it",
    ];
    assert_eq!(warnings(&fixture("older-mixed.xml")), expected);
}
