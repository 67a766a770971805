//! What is passed over: prose and asserts that are unknown or make no sense, and nothing else.

use leveret_codegen::Source;

use crate::{loaded, warnings};

/// Asserts the warnings about the inside of a specification, whose second line is the first of
/// `inner`.
#[track_caller]
fn assert_warned(inner: &str, expected: &[&str]) {
    let text = format!("<amqp major='0' minor='9' revision='1' port='5672'>\n{inner}\n</amqp>");
    assert_eq!(warnings(&loaded(Source::new("a.xml", text))), expected);
}

/// Asserts the one warning about an assert, as what comes after the path of its field.
#[track_caller]
fn assert_passed_over(assert: &str, expected: &str) {
    let field = format!("<field name='a' type='short'>{assert}</field>");
    let method = format!("<method name='m' index='1'><chassis name='server' implement='MUST'/>\n{field}</method>");
    let path = "/amqp/class[c]/method[m]/field[a]";
    let (column, rest) = expected.split_once(": ").unwrap();
    let expected = format!("a.xml:3:{column}: warning: {path}{rest}");
    assert_warned(&format!("<class name='c' index='1'>{method}</class>"), &[&expected]);
}

#[test]
fn text_where_there_is_none_is_passed_over() {
    assert_warned("  hello", &["a.xml:2:3: warning: /amqp: text where the format has none is passed over"]);
    assert_warned("  &lt;", &["a.xml:2:3: warning: /amqp: text where the format has none is passed over"]);
}

#[test]
fn prose_is_passed_over_wherever_it_stands() {
    assert_warned("<rule name='r'>No.</rule>", &["a.xml:2:1: warning: /amqp: `rule` is passed over"]);
    assert_warned("<doc>A <em>b</em> c.</doc>", &["a.xml:2:8: warning: /amqp/doc: `em` is passed over"]);
    assert_warned("<doc><p>A <klass/></p></doc>", &["a.xml:2:6: warning: /amqp/doc: `p` is passed over"]);
    let unknown =
        "a.xml:2:6: warning: /amqp/doc: passed over: unknown attribute `lang`: `doc` has `type`, `name`, `test`";
    assert_warned("<doc lang='en'>A.</doc>", &[unknown]);
}

#[test]
fn an_assert_that_makes_no_sense_is_passed_over() {
    assert_passed_over(
        "<assert check='prime'/>",
        "38: /assert[prime]: passed over: unknown check `prime`: there are `notnull`, `length`, `regexp`, `le`",
    );
    assert_passed_over("<assert/>", "30: /assert: passed over: the attribute `check` is missing");
    assert_passed_over(
        "<assert check='length' value='long'/>",
        "53: /assert[length]: passed over: `value` is `long`, which is no number of 32 bits",
    );
    let missing = "/assert[regexp]: passed over: the attribute `value` is missing";
    assert_passed_over("<assert check='regexp'/>", &format!("30: {missing}"));
    assert_passed_over(
        "<assert check='le'/>",
        "38: /assert[le]: passed over: a comparison needs the attributes `method` and `field`",
    );
    assert_passed_over(
        "<assert check='le' method='m' field='b'/>",
        "60: /assert[le]: passed over: there is no field `b` in a method `m` here",
    );
    assert_passed_over(
        "<assert check='notnull' ever='1'/>",
        "54: /assert[notnull]: passed over: unknown attribute `ever`: `assert` has `check`, `value`, `method`, `field`, `rule`",
    );
}

#[test]
fn an_undeclared_domain_that_names_a_type_is_that_type() {
    assert_warned(
        "<class name='c' index='1'><field name='a' domain='bit'/></class>",
        &[
            "a.xml:2:43: warning: /amqp/class[c]/field[a]: the domain `bit` is not declared: read as the type of that name",
        ],
    );
}

#[test]
fn content_without_properties_is_read_and_told_of() {
    let method = "<method name='a' index='1' content='1'><chassis name='client' implement='MUST'/></method>";
    assert_warned(
        &format!("<class name='a' index='1'>\n{method}\n</class>"),
        &[
            "a.xml:3:28: warning: /amqp/class[a]/method[a]: carries content, and the class `a` has no properties to describe it",
        ],
    );
}

#[test]
fn warnings_come_in_the_order_of_the_files() {
    let base =
        "<amqp major='0' minor='9' revision='1' port='5672'><domain name='a' type='bit'><assert/></domain></amqp>";
    let overlay = "<amqp><see/><domain name='b' type='bit'><rule/></domain></amqp>";
    let sources = [Source::new("b.xml", base), Source::new("a.xml", overlay)];
    let specification = leveret_codegen::Specification::load(&sources).unwrap();
    let places: Vec<_> = specification.warnings.iter().map(|warning| warning.position().to_string()).collect();
    assert_eq!(places, ["b.xml:1:80", "a.xml:1:7", "a.xml:1:41"]);
}
