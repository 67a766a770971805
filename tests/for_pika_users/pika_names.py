"""The public names of Pika, one a line: whose it is, and the name.

    pip install --no-deps --target A pika==0.12.0 && pip install --no-deps --target B pika==1.3.2
    python3 pika_names.py A B > pika_names.txt

A name is a class, a function, a constant, a method, an attribute or a parameter that does not begin
with an underscore. What the source declares counts; nothing is imported.
"""

import ast
import pathlib
import sys

# How Pika is made: of these modules the names at the top alone.
INTERNAL = ("pika.amqp_object", "pika.callback", "pika.compat", "pika.data", "pika.diagnostic_utils", "pika.frame",
            "pika.heartbeat", "pika.tcp_socket_opts", "pika.utils", "pika.validators", "pika.adapters.utils")

# Modules whose classes are small: their members are listed with the module.
FLAT = ("pika.exceptions", "pika.exchange_type", "pika.delivery_mode")

# Wrappers and subclasses, whose names that Pika's own classes have too are listed there.
WRAPPED = ("pika.connection.Connection", "pika.channel.Channel", "pika.adapters.select_connection.IOLoop")


def is_public(name):
    return not name.startswith("_") and name not in ("self", "cls", "LOGGER")


def parameters(function):
    every = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    return {argument.arg for argument in every if is_public(argument.arg)}


def assigned(node):
    return node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []


def members(found):
    names = set()
    for node in found.body:
        if isinstance(node, ast.FunctionDef) and (is_public(node.name) or node.name == "__init__"):
            # The parameter of a property's setter has no name to look for.
            if not any(isinstance(decorator, ast.Attribute) for decorator in node.decorator_list):
                names |= parameters(node)
            names |= {node.name} - {"__init__"}
            for inner in ast.walk(node) if node.name == "__init__" else ():
                names |= {target.attr for target in assigned(inner) if isinstance(target, ast.Attribute)
                          and isinstance(target.value, ast.Name) and target.value.id == "self"}
        elif isinstance(node, ast.ClassDef) and is_public(node.name):
            # A method of AMQP in its class: its fields are what it is made with.
            names |= {node.name}.union(*(parameters(inner) for inner in node.body
                                         if isinstance(inner, ast.FunctionDef) and inner.name == "__init__"))
        names |= {target.id for target in assigned(node) if isinstance(target, ast.Name)}
    return {name for name in names if is_public(name)}


def top(body):
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            yield node.name, node
        elif isinstance(node, (ast.If, ast.Try)):
            yield from top(node.body + node.orelse + [one for h in getattr(node, "handlers", []) for one in h.body])
        else:
            yield from ((target.id, node) for target in assigned(node) if isinstance(target, ast.Name))


def names_of(root):
    for file in sorted((root / "pika").rglob("*.py")):
        module = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for name, node in top(ast.parse(file.read_text()).body):
            if not is_public(name):
                continue
            if module.startswith(INTERNAL):
                yield module, name
                continue
            inside = members(node) if isinstance(node, ast.ClassDef) else set()
            if module in FLAT or not inside:
                yield module, name
                yield from ((module, member) for member in inside)
            else:
                yield from ((f"{module}.{name}", member) for member in inside)


names = {name for root in sys.argv[1:] for name in names_of(pathlib.Path(root))}
known = {name for owner, name in names if owner in WRAPPED}
for owner, name in sorted(names):
    if owner in WRAPPED or not owner.startswith("pika.adapters") or "Blocking" in owner or name not in known:
        print(owner, name)
