# SPDX-License-Identifier: BSD-2-Clause
"""gdb commands that print the kernel's structures (make debug loads them).

    g-harts                 each hart: what it runs
    g-threads [NAME]        all threads: state, process, where a sleeping one waits
    g-areas THREAD|MAP      areas of an address space: range, protection, object
    g-object OBJECT         one object: kind, size, residents, areas, shadows
    g-chain OBJECT          the objects that it looks through to
    g-frames [OBJECT]       counts of frames by state; with an object, its frames
    g-frame FRAME|ADDRESS   one frame, by its struct or by a physical address

An argument is any expression of gdb; a thread may be given by its number.
"""
import gdb

PAGE_SHIFT = 12
RADIX_SLOTS = 64


def value(text):
    return gdb.parse_and_eval(text)


def pointer(struct, address):
    return gdb.Value(int(address)).cast(gdb.lookup_type("struct " + struct).pointer())


def container(node, struct, field):
    """The struct whose FIELD is at NODE."""
    kind = gdb.lookup_type("struct " + struct)
    offset = next(f.bitpos // 8 for f in kind.fields() if f.name == field)
    return pointer(struct, int(node) - offset)


def list_of(head, struct, field):
    """The structs that a struct list links; a loop that does not come back is cut by gdb's ^C."""
    start = int(head.address)
    node = head["next"]
    while int(node) != start:
        yield container(node, struct, field)
        node = node["next"]


def tree_of(tree, struct, field):
    """The structs of an rb_tree, in order."""
    stack, node = [], tree["root"]
    while stack or int(node):
        while int(node):
            stack.append(node)
            node = node["left"]
        node = stack.pop()
        yield container(node, struct, field)
        node = node["right"]


def words_of(tree):
    """(index, word) of a radix_tree."""
    root, height = tree["root"], int(tree["height"])
    if not int(root):
        return
    if not height:
        yield 0, int(root)
        return
    stack = [(root, 0)]
    while stack:
        node, base = stack.pop()
        shift = int(node["shift"])
        below = []
        for slot in range(RADIX_SLOTS):
            if not int(node["present"]) >> slot & 1:
                continue
            index, word = base | slot << shift, int(node["slots"][slot])
            if shift:
                below.append((pointer("radix_node", word), index))
            else:
                yield index, word
        stack += reversed(below)


def flag_names(word):
    """FR_* names in a frame's flags: macros are in the debug information of -g3 only."""
    names = ("BUSY VALID DIRTY CLEANING REF ERROR RESERVED WAITERS WIRED BUDDY SLAB TABLE ZEROED "
             "LISTED LAUNDRY REFAULT STORED").split()
    out = [name for bit, name in enumerate(names) if word >> bit & 1]
    out += [name for bit, name in ((21, "FREE"), (22, "POISON")) if word >> bit & 1]
    return "|".join(out) or "-"


def where(address):
    """Function of a code address."""
    block = gdb.block_for_pc(int(address))
    while block and not block.function:
        block = block.superblock
    return str(block.function) if block else hex(int(address))


def threads():
    head = gdb.lookup_static_symbol("threads") or gdb.lookup_global_symbol("threads")
    return list_of(head.value(), "thread", "all_link")


def find_thread(text):
    try:
        number = int(text, 0)
    except ValueError:
        return value(text)
    for thread in threads():
        if int(thread["tid"]) == number:
            return thread
    raise gdb.GdbError(f"no thread {number}")


class Command(gdb.Command):
    """A command whose name and help come from the function that it wraps."""

    def __init__(self, function):
        self.__doc__ = function.__doc__
        self.function = function
        super().__init__("g-" + function.__name__.rstrip("_"), gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, _from_tty):
        self.function(argument.strip())


@Command
def harts(_):
    """Each hart: index, id, what it runs."""
    for i in range(int(value("nharts"))):
        hart = value(f"harts[{i}]")
        running = hart["running"]
        name = running["name"].string() if int(running) else "-"
        print(f"hart {i} id {int(hart['id'])} {'online' if hart['online'] else 'offline'} runs {name} "
              f"map {int(hart['map']):#x}")


@Command
def threads_(only):
    """All threads; with an argument those whose name holds it."""
    for t in threads():
        name = t["name"].string()
        if only and only not in name:
            continue
        state = str(t["state"]).replace("THREAD_", "").lower()
        at = "" if t["on_cpu"] else "in " + where(t["ctx"]["ra"])
        print(f"{int(t['tid']):6} {name:16} {state:9} {int(t):#x} map {int(t['map']):#x} {at}")


def find_map(text):
    if not text:
        raise gdb.GdbError("a thread's number, or a struct vm_map *")
    try:
        found = find_thread(text)
    except gdb.error as error:
        raise gdb.GdbError(str(error))
    if str(found.type.strip_typedefs().target()) == "struct thread":
        found = found["map"]
    if not int(found):
        raise gdb.GdbError("a kernel thread has no address space")
    return found


@Command
def areas(text):
    """Areas of a thread (by its number) or of a struct vm_map *."""
    for a in tree_of(find_map(text)["areas"], "vm_area", "node"):
        prot = "".join(c if int(a["prot"]) >> bit & 1 else "-" for bit, c in enumerate("rwx"))
        obj = a["object"]
        kind = str(obj["kind"]).replace("OBJ_", "").lower() if int(obj) else "none yet"
        print(f"{int(a['start']):#014x}-{int(a['end']):#014x} {prot} flags {int(a['flags']):#x} "
              f"{'needs-copy ' if a['needs_copy'] else ''}{kind} {int(obj):#x} from page {int(a['index'])}")


def line_of(obj):
    kind = str(obj["kind"]).replace("OBJ_", "").lower()
    return (f"{int(obj):#x} {kind:6} size {int(obj['size']):#x} refs {int(obj['refs'])} resident "
            f"{int(obj['resident'])} dirty {int(obj['ndirty'])} shadows {int(obj['nshadows'])}"
            f"{' dead' if obj['dead'] else ''}")


def find_object(text):
    if not text:
        raise gdb.GdbError("a struct vm_object *")
    found = value(text)
    return found if found.type.code == gdb.TYPE_CODE_PTR else pointer("vm_object", found)


@Command
def object_(text):
    """One object, the areas that map it, and the shadows above it."""
    obj = find_object(text)
    print(line_of(obj))
    for a in tree_of(obj["areas"], "vm_area", "obj_node"):
        print(f"  area {int(a):#x} {int(a['start']):#x}-{int(a['end']):#x} map {int(a['map']):#x}")
    for shadow in list_of(obj["shadows"], "vm_object", "shadow_link"):
        print(f"  shadow {line_of(shadow)}")


@Command
def chain(text):
    """The chain of objects that one looks through to."""
    obj, depth = find_object(text), 0
    while int(obj):
        print(f"{'  ' * depth}{line_of(obj)}" +
              (f" sees page {int(obj['backing_index'])} on" if int(obj["backing"]) else ""))
        obj, depth = obj["backing"], depth + 1


def print_frame(frame, index=None):
    what = f"page {index}: " if index is not None else ""
    print(f"{what}frame {int(frame):#x} {flag_names(int(frame['flags']))} holds {int(frame['holds'])} "
          f"mapped {int(frame['mapcount'])} object {int(frame['object']):#x} index {int(frame['index'])}")


@Command
def frames(text):
    """Counts of frames by their flags; with an object, each of its frames."""
    if text:
        for index, word in words_of(find_object(text)["pages"]):
            print_frame(pointer("frame", word & ~3), index)
        return
    counts = {}
    for i in range(int(value("mem_nbanks"))):
        bank = value(f"mem_banks[{i}]")
        total = int(bank["size"]) >> PAGE_SHIFT
        size = gdb.lookup_type("struct frame").sizeof
        data = gdb.selected_inferior().read_memory(int(bank["frames"]), total * size)
        for k in range(total):
            flags = int.from_bytes(data[k * size:k * size + 4], "little")
            counts[flags] = counts.get(flags, 0) + 1
    for flags, count in sorted(counts.items(), key=lambda item: -item[1]):
        print(f"{count:10} {flag_names(flags)}")


@Command
def frame_(text):
    """One frame: a struct frame *, or a physical address."""
    found = value(text)
    if found.type.code != gdb.TYPE_CODE_PTR:
        address = int(found)
        for i in range(int(value("mem_nbanks"))):
            bank = value(f"mem_banks[{i}]")
            offset = address - int(bank["base"])
            if 0 <= offset < int(bank["size"]):
                found = (bank["frames"] + (offset >> PAGE_SHIFT))
                break
        else:
            raise gdb.GdbError(f"{address:#x} is not RAM")
    print_frame(found)


print("g-harts g-threads g-areas g-object g-chain g-frames g-frame: help NAME tells more")
