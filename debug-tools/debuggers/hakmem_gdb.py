"""hakmem in gdb: `source hakmem_gdb.py`, then `hakmem help`.

Commands `hakmem ...`; functions for expressions, `$hakmem_block(p)`, `$hakmem_size(p)`,
`$hakmem_state(p)` and `$hakmem_slab(p)`; printers for the allocator's own structures, where there is
debug information of them.
"""

import os
import re
import sys

import gdb
import gdb.printing

# From beside this file, and leaving nothing there. `__file__` is another one's where gdb loads it by itself.
sys.path.insert(0, os.path.dirname(os.path.realpath(sys._getframe().f_code.co_filename)))
writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
import hakmem_debugger as shared
import hakmem_structures as structures

sys.dont_write_bytecode = writes
sys.path.pop(0)


class Gdb(shared.Debugger):
    """What gdb looks at."""

    def core(self):
        # gdb has no other way to say it. The quotes differ between versions.
        text = gdb.execute("info target", to_string=True)
        found = re.search(r"core dump file:\s*[`'\"](.*)['\"], file type", text)
        return found and found.group(1)

    def process(self):
        return gdb.selected_inferior().pid or None

    def call(self):
        return "call"

    def address(self, expression):
        return number_of(gdb.parse_and_eval(expression))

    def pointers(self, expression):
        if expression is not None:
            value = gdb.parse_and_eval(expression)
            if value.type.strip_typedefs().code in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_REF):
                value = value.referenced_value()
            try:
                members = [field for field in value.type.strip_typedefs().fields() if field.name]
            except TypeError as error:
                raise shared.Refused("%s has no members" % expression) from error
            return only_pointers((field.name, value[field]) for field in members)
        frame = gdb.selected_frame()
        try:
            block = frame.block()
        except RuntimeError as error:
            raise shared.Refused("the frame's variables are not known: %s" % error) from error
        found = {}
        while block and not (block.is_static or block.is_global):
            for symbol in block:
                if symbol.is_variable or symbol.is_argument:
                    found.setdefault(symbol.name, symbol.value(frame))
            block = None if block.function else block.superblock
        return only_pointers(found.items())

    def structure(self, name, address):
        value = structure(name, address)
        return value is not None and Node(value) or None


def structure(name, address):
    """What lies at an address, as a type of the library's own; None where that is not known."""
    try:
        return gdb.Value(address).cast(gdb.lookup_type(name).pointer()).dereference()
    except gdb.error:
        return None


def number_of(value):
    """The number that a value is as an address: its own, or of what lies in memory where it lies."""
    kind = value.type.strip_typedefs().code
    scalars = (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_INT, gdb.TYPE_CODE_ENUM)
    if kind == gdb.TYPE_CODE_REF:
        return int(value.address)
    if kind not in scalars:
        # Smart pointers of Rust: a structure around one pointer.
        inner = single(value)
        if inner is not None and inner.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
            value = inner
        elif value.address is not None:
            value = value.address
        else:
            raise shared.Refused("it is no pointer, and lies nowhere in memory")
    return int(value) & (1 << 64) - 1


def single(value):
    """What is inside of structures that hold one value each, or None."""
    while value.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
        sized = [field for field in value.type.strip_typedefs().fields()
                 if hasattr(field, "bitpos") and field.type.sizeof > 0]
        if len(sized) != 1:
            return None
        value = value[sized[0]]
    return value


def only_pointers(named):
    """Names and numbers of those that are pointers, and can be read."""
    found = []
    for name, value in named:
        try:
            inner = single(value)
            if inner is not None and inner.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
                found.append((name, int(inner) & (1 << 64) - 1))
        except gdb.error:
            # Optimised out, or in memory that is not there.
            continue
    return found


HAKMEM = shared.Hakmem(Gdb())


class Command(gdb.Command):
    __doc__ = shared.HELP

    def __init__(self):
        super().__init__("hakmem", gdb.COMMAND_DATA)

    def invoke(self, argument, _from_tty):
        try:
            text = HAKMEM.do(gdb.string_to_argv(argument))
        except (shared.Refused, gdb.error) as refused:
            raise gdb.GdbError(str(refused)) from refused
        gdb.write(text if text.endswith("\n") else text + "\n")

    def complete(self, text, word):
        if " " in text.strip() or text.endswith(" ") and text.strip():
            return gdb.COMPLETE_EXPRESSION
        return [each for each in shared.WORDS if each.startswith(word)]


class Function(gdb.Function):
    """A function of an address, for expressions."""

    def __init__(self, name, doc, of):
        self.__doc__ = doc
        self.of = of
        super().__init__(name)

    def invoke(self, pointer):
        try:
            return self.of(number_of(pointer))
        except shared.Refused as refused:
            raise gdb.GdbError(str(refused)) from refused


class Node:
    """A value, for what the printers share."""

    def __init__(self, value):
        self.value = value

    def field(self, name):
        return Node(self.value[name])

    def number(self):
        return int(single(self.value)) & (1 << 64) - 1

    def word(self, address):
        return int.from_bytes(gdb.selected_inferior().read_memory(address, 8).tobytes(), "little")


class Printer:
    """Prints a structure of the allocator's."""

    def __init__(self, value, describe):
        self.text, self.members = describe(Node(value))

    def to_string(self):
        return self.text

    def children(self):
        return iter(self.members)


class Printers(gdb.printing.PrettyPrinter):
    """All of them."""

    def __init__(self):
        super().__init__("hakmem")

    def __call__(self, value):
        describe = structures.PRINTED.get(value.type.strip_typedefs().unqualified().name)
        return describe and Printer(value, describe)


def looked_up(field, absent):
    """A function that says one thing of what `hakmem` says of an address."""
    def of(address):
        value = HAKMEM.look_up([address])[0].get(field, absent)
        return int(value, 16) if field == "block" else value
    return of


def slab_of(address):
    """The header of the slab that an address is in."""
    value = structure(structures.SLAB, HAKMEM.header(address))
    if value is None:
        raise shared.Refused(shared.NO_TYPES)
    return value


Command()
Function("hakmem_block", "The start of the block that the address is in, or 0.", looked_up("block", "0"))
Function("hakmem_size", "Bytes of the block that the address is in, or 0.", looked_up("bytes", 0))
Function("hakmem_state", "What the address is, in a word: live, free, cached, stack, ...",
         looked_up("state", ""))
Function("hakmem_slab", "The header of the slab that the address is in.", slab_of)
gdb.printing.register_pretty_printer(None, Printers(), replace=True)
