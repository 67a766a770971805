#!/usr/bin/env python3
"""Prints the facts of a published specification, one a line: what base.txt and extended.txt here were made with.

    python3 derive.py amqp0-9-1.xml > base.txt
    python3 derive.py amqp0-9-1.extended.xml > extended.txt

The lists of older files were made so too: 0-8.txt of amqp0-8.stripped.xml, 0-9.txt of amqp0-9.stripped.xml, and
0-9-1-qpid.txt of amqp0-9-1.qpid.stripped.xml.

It shares nothing with the parser that it checks. Prose (docs, labels, rules, comments) is no fact. The order of elements
of one kind is; the order of kinds within a parent is not, so it is fixed here. Names that a file writes with spaces are
written with hyphens here, as later files do.
"""
import os
import sys
import xml.etree.ElementTree


def words(*parts):
    print(" ".join(part for part in parts if part))


def flags(element, *names):
    return " ".join(name for name in names if element.get(name) == "1")


def name_in(element, key="name"):
    return "-".join(element.get(key).split()) if element.get(key) else None


def asserts(owner, element):
    for item in element.findall("assert"):
        other = f"{name_in(item, 'method')}.{name_in(item, 'field')}" if item.get("method") else None
        words(owner, "assert", item.get("check"), item.get("value"), other)


def chassis(owner, element):
    for item in element.findall("chassis"):
        words(owner, "chassis", name_in(item), item.get("implement"))


def field(kind, parent, element):
    owner = f"{kind} {parent}.{name_in(element)}"
    domain = f"domain {name_in(element, 'domain')}" if element.get("domain") else None
    type_ = f"type {element.get('type')}" if element.get("type") else None
    required = f"required={element.get('required')}" if element.get("required") else None
    words(owner, domain, type_, flags(element, "reserved"), required)
    asserts(owner, element)


def method(parent, element):
    name = f"{parent}.{name_in(element)}"
    words("method", name, element.get("index"), flags(element, "synchronous", "content", "deprecated"))
    chassis(f"method {name}", element)
    for item in element.findall("response"):
        words("method", name, "response", name_in(item))
    for item in element.findall("field"):
        field("field", name, item)


def protocol(root):
    keys = [key for key in ("major", "minor", "revision", "port") if root.get(key)]
    words("protocol", *(f"{key} {root.get(key)}" for key in keys))
    for item in root.findall("constant"):
        words("constant", name_in(item), item.get("value"), name_in(item, "class"))
    for item in root.findall("domain"):
        words("domain", name_in(item), item.get("type"))
        asserts(f"domain {name_in(item)}", item)
    for item in root.findall("class"):
        name = name_in(item)
        words("class", name, item.get("index"), "handler", item.get("handler"))
        chassis(f"class {name}", item)
        for prop in item.findall("field"):
            field("property", name, prop)
        for child in item.findall("method"):
            method(name, child)


print(f"# Facts of the published {os.path.basename(sys.argv[1])}, derived by derive.py.")
protocol(xml.etree.ElementTree.parse(sys.argv[1]).getroot())
