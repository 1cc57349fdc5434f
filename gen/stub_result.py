# SPDX-License-Identifier: LGPL-2.1-or-later
# How the reply of a call becomes what its C function returns and stores: one function for each kind of
# schema/api/README.md. Each adds lines to a Stub (stub_plan.py) whose request is already planned.
from __future__ import annotations

from typing import Callable

from api_model import Param
from stub_plan import NUMBER_WORDS, OBJECT_WORDS, Stub
from wire_ctypes import c_field
from wire_schema import Field


def by_rule(stub: Stub) -> None:
    fields, ret, outs = stub.reply_fields, stub.call.ret.type.word, stub.outs()
    if not fields:
        if outs:
            raise stub.mistake("the procedure returns nothing, but there is an out parameter")
        stub.result = "0"
    elif len(outs) == 1 and outs[0].type.shape == "list":
        object_list(stub, outs[0])
    elif len(outs) == 1 and outs[0].type.shape == "array":
        array_result(stub, outs[0], fields[0])
    elif len(outs) == 1 and outs[0].type.word == "struct":
        struct_by_name(stub, outs[0])
    elif len(outs) == 1 and len(fields) == 1 and outs[0].type.word in NUMBER_WORDS:
        out_number(stub)
    elif not outs and len(fields) == 1:
        stub.result = value_of(stub, fields[0], ret)
    else:
        raise stub.mistake(f"no rule fits {stub.proc.name}: it needs a kind")


def value_of(stub: Stub, value: Field, word: str) -> str:
    """The expression that hands the one returned value to the caller."""
    source = f"reply.{c_field(value.name)}"
    if value.struct and word in OBJECT_WORDS:
        stub.owns_reply = True
        return f"client_{word}_from_wire(link, &{source})"
    if value.base == "string" and word == "string":
        stub.owns_reply = True
        return f"g_steal_pointer(&{source})"
    if value.struct or value.base in ("string", "uuid", "opaque") or value.counted:
        raise stub.mistake(f"'{value.name}' of {stub.proc.name} does not fit the result '{word}'")
    return source


def object_list(stub: Stub, out: Param) -> None:
    """need_results + array + ret."""
    word, name = out.type.word, out.name
    array = f"reply.{c_field(stub.reply_fields[0].name)}"
    pointer = stub.api.objects[word].pointer
    stub.owns_reply = True
    stub.fills += [f"if ({name})", f"    *{name} = NULL;"]
    stub.after += [f"if ({name}) {{",
                   f"    {pointer} *list = g_new0({pointer}, (gsize){array}.count + 1);", "",
                   f"    for (guint32 i = 0; i < {array}.count; i++)",
                   f"        list[i] = client_{word}_from_wire(link, &{array}.items[i]);",
                   f"    *{name} = list;", "}"]
    stub.result = f"{name} ? (int){array}.count : (int)reply.ret"


def array_result(stub: Stub, out: Param, value: Field) -> None:
    """Names, uuid texts, numbers into the caller's array; the result is their count."""
    array, name, space = f"reply.{c_field(value.name)}", out.name, out.type.length
    stub.owns_reply = True
    stub.unless(f'stub_fits({array}.count, {space}, "{value.name}", &error)')
    if value.base == "string":
        stub.after.append(f"stub_move_strings({name}, {array}.count, {array}.items);")
    else:
        stub.after.append(f"stub_copy_bytes({name}, {array}.count * sizeof({name}[0]), {array}.items, "
                          f"{array}.count * sizeof({name}[0]));")
    stub.result = f"{array}.count"


def struct_by_name(stub: Stub, out: Param, skip: tuple[str, ...] = ()) -> None:
    members = {m.name: m for m in stub.api.structs[out.type.name].members}
    stub.after.append(f"memset({out.name}, 0, sizeof(*{out.name}));")
    for value in stub.reply_fields:
        if value.name in skip:
            continue
        if value.name not in members:
            raise stub.mistake(f"struct {out.type.name} has no member '{value.name}'")
        target, source = f"{out.name}->{value.name}", f"reply.{c_field(value.name)}"
        if value.fixed:
            stub.after.append(f"stub_copy_bytes({target}, sizeof({target}), {source}, sizeof({source}));")
        else:
            stub.after.append(f"{target} = {source};")


def out_number(stub: Stub) -> None:
    stub.after.append(f"*{stub.only_out().name} = reply.{c_field(stub.reply_fields[0].name)};")


def out_several(stub: Stub) -> None:
    """Out parameters by name; a string or a count that is left over is the result."""
    names = {value.name for value in stub.reply_fields}
    for out in stub.outs():
        source = f"reply.{c_field(stub.reply_field(out.name).name)}"
        names.discard(out.name)
        if out.type.word == "string":
            stub.owns_reply = True
            stub.after.append(f"*{out.name} = g_steal_pointer(&{source});")
        else:
            stub.after += [f"if ({out.name})", f"    *{out.name} = {source};"]
    for name in names:
        stub.result = value_of(stub, stub.reply_field(name), stub.call.ret.type.word)


def object_refresh(stub: Stub) -> None:
    me = stub.call.params[0].name
    if stub.proc.name == "domain_rename":
        stub.after.append(f"client_domain_set_name({me}, new_name);")
        stub.result = "reply.retcode"
    elif stub.reply_fields:
        stub.owns_reply = True
        stub.after.append(f"client_domain_set_id({me}, reply.dom.id);")
    else:
        # The reply says nothing: learn the id by looking the guest up.
        stub.decls += ["RemoteDomainLookupByUuidArgs lookup = { 0 };",
                       "RemoteDomainLookupByUuidRet found = { 0 };"]
        stub.after += ["memcpy(lookup.uuid, request.dom.uuid, sizeof(lookup.uuid));",
                       "if (!client_call(link, API_PROC(REMOTE_DOMAIN_LOOKUP_BY_UUID), &lookup, &found, "
                       "&error))",
                       f"    return {stub.fail_with};",
                       f"client_domain_set_id({me}, found.dom.id);",
                       "codec_free(CODEC(RemoteDomainLookupByUuidRet), &found);"]


def struct_out_special(stub: Stub) -> None:
    out = stub.only_out()
    if stub.call.param("size"):
        struct = stub.api.structs[out.type.name]
        stub.decls.append(f"{struct.name} full = {{ 0 }};")
        stub.after += [f"full.{value.name} = reply.{c_field(value.name)};"
                       for value in stub.reply_fields]
        stub.after.append(f"memcpy({out.name}, &full, MIN(size, sizeof(full)));")
    elif any(value.name == "found" for value in stub.reply_fields):
        stub.after += [f"memset({out.name}, 0, sizeof(*{out.name}));", "if (!reply.found)",
                       "    return 0;"]
        stub.after += [f"{out.name}->{value.name} = reply.{c_field(value.name)};"
                       for value in stub.reply_fields if value.name != "found"]
        stub.result = "1"
    else:
        struct_by_name(stub, out)


def char_words(stub: Stub) -> None:
    out = stub.only_out()
    stub.owns_reply = True
    if out.type.shape != "alloc":
        stub.after.append(f"memset({out.name}, 0, sizeof(*{out.name}));")
        for value in stub.reply_fields:
            copy_chars(stub, f"{out.name}->{value.name}", f"reply.{c_field(value.name)}", value)
        return
    stub.decls.append("g_autofree virSecurityLabelPtr list = NULL;")
    stub.after += ["list = g_new0(virSecurityLabel, (gsize)reply.labels.count + 1);",
                   "for (guint32 i = 0; i < reply.labels.count; i++) {",
                   "    if (!stub_copy_chars(list[i].label, sizeof(list[i].label), "
                   "reply.labels.items[i].label.items,",
                   "                         reply.labels.items[i].label.count, \"label\", &error))",
                   f"        return {stub.fail_with};",
                   "    list[i].enforcing = reply.labels.items[i].enforcing;", "}",
                   f"*{out.name} = g_steal_pointer(&list);"]
    stub.result = "reply.labels.count"


def copy_chars(stub: Stub, target: str, source: str, value: Field) -> None:
    if value.counted:
        stub.unless(f"stub_copy_chars({target}, sizeof({target}), {source}.items, {source}.count, "
                    f'"{value.name}", &error)')
    else:
        stub.after.append(f"{target} = {source};")


def typed_query(stub: Stub) -> None:
    stub.owns_reply = True
    stub.after += ["if (*nparams == 0) {", "    *nparams = reply.nparams;", "    return 0;", "}"]
    typed_query_uncounted(stub)


def typed_query_uncounted(stub: Stub) -> None:
    stub.owns_reply = True
    stub.unless("stub_params_fill(params, *nparams, reply.params.items, reply.params.count, &error)")
    stub.after.append("*nparams = reply.params.count;")


def typed_alloc(stub: Stub) -> None:
    stub.owns_reply = True
    items = "reply.params.items"
    if stub.proc.program.name == "admin":
        items = "(const RemoteTypedParam *)" + items
    stub.unless(f"stub_params_new(params, {items}, reply.params.count, &error)")
    stub.after.append("*nparams = reply.params.count;")
    for out in stub.outs():
        if out.name not in ("params", "nparams"):
            stub.after.append(f"*{out.name} = reply.{c_field(stub.reply_field(out.name).name)};")


def stat_query(stub: Stub) -> None:
    stub.owns_reply = True
    stub.after += ["if (*nparams == 0) {", "    *nparams = reply.nparams;", "    return 0;", "}"]
    stub.unless('stub_fits(reply.params.count, *nparams, "params", &error)')
    stub.after += ["for (guint32 i = 0; i < reply.params.count; i++) {",
                   "    if (!stub_copy_field(params[i].field, sizeof(params[i].field), "
                   "reply.params.items[i].field, &error))",
                   f"        return {stub.fail_with};",
                   "    params[i].value = reply.params.items[i].value;", "}",
                   "*nparams = reply.params.count;"]


def typed_matrix(stub: Stub) -> None:
    stub.owns_reply = True
    stub.checks.append("stub_check_matrix(params, nparams, start_cpu, ncpus, __func__, &error)")
    stub.after += ["if (nparams == 0 || ncpus == 0)", "    return reply.nparams;"]
    stub.unless("stub_fill_matrix(params, nparams, ncpus, reply.params.items, reply.params.count, "
                "reply.nparams, &error)")
    stub.result = "reply.nparams"


def cpumaps(stub: Stub) -> None:
    stub.owns_reply = True
    if stub.call.name == "virNodeGetCPUMap":
        stub.after += ["if (cpumap) {", "    *cpumap = reply.cpumap.items;",
                       "    reply.cpumap.items = NULL;", "    reply.cpumap.count = 0;", "}",
                       "if (online)", "    *online = reply.online;"]
        stub.result = "reply.ret"
    elif stub.call.name == "virDomainGetVcpus":
        vcpus(stub)
    else:
        rows, result = {"virDomainGetVcpuPinInfo": ("ncpumaps", "num"),
                        "virDomainGetEmulatorPinInfo": ("1", "ret")}[stub.call.name]
        name = "cpumaps" if rows != "1" else "cpumap"
        if rows != "1":
            stub.check("client_need_positive", rows, f'"{rows}"')
        stub.check("client_need_positive", "maplen", '"maplen"')
        space = f"(gsize){rows} * maplen"
        stub.unless(f'stub_fits((guint32)reply.{result}, {rows}, "maps", &error)')
        stub.unless(f'stub_fits(reply.cpumaps.count, {space}, "bytes of maps", &error)')
        stub.after.append(f"stub_copy_bytes({name}, {space}, reply.cpumaps.items, reply.cpumaps.count);")
        stub.result = f"reply.{result}"


def vcpus(stub: Stub) -> None:
    """info and cpumaps are parallel; the maps may be left out."""
    stub.checks.clear()
    stub.need("info")
    stub.check("client_need_positive", "maxinfo", '"maxinfo"')
    stub.checks.append("stub_check_maps(cpumaps, maplen, __func__, &error)")
    stub.unless('stub_fits(reply.info.count, maxinfo, "info", &error)')
    stub.unless('stub_fits(reply.cpumaps.count, (gsize)maxinfo * maplen, "bytes of maps", &error)')
    stub.after += ["memset(info, 0, sizeof(*info) * maxinfo);",
                   "for (guint32 i = 0; i < reply.info.count; i++) {",
                   "    info[i].number = reply.info.items[i].number;",
                   "    info[i].state = reply.info.items[i].state;",
                   "    info[i].cpuTime = reply.info.items[i].cpu_time;",
                   "    info[i].cpu = reply.info.items[i].cpu;", "}", "if (cpumaps)",
                   "    stub_copy_bytes(cpumaps, (gsize)maxinfo * maplen, reply.cpumaps.items, "
                   "reply.cpumaps.count);"]
    stub.result = "reply.info.count"


def buffer_out(stub: Stub) -> None:
    stub.owns_reply = True
    if stub.call.param("buffer"):
        stub.unless("stub_check_size(reply.buffer.count, size, &error)")
        stub.after.append("stub_copy_bytes(buffer, size, reply.buffer.items, reply.buffer.count);")
        return
    stub.after += ["if (value_size)", "    *value_size = reply.value.count;"]
    stub.result = "stub_steal_bytes(&reply.value.items)"


def cell_arrays(stub: Stub) -> None:
    outs = stub.outs()
    if not outs:
        stub.result = "reply.ret"
        return
    out, value = outs[0], stub.reply_fields[0]
    space = f"(guint64){out.type.length}"
    if stub.call.param("npages"):
        space += " * npages"
    array = f"reply.{c_field(value.name)}"
    stub.owns_reply = True
    stub.unless(f'stub_fits({array}.count, {space}, "{value.name}", &error)')
    stub.after += [f"for (guint32 i = 0; i < {array}.count; i++)",
                   f"    {out.name}[i] = {array}.items[i];"]
    stub.result = f"{array}.count"


STRUCT_MAKERS = {"virDomainFSInfo": "stub_fsinfo_new(&%s)",
                 "virDomainIOThreadInfo": "stub_iothread_info_new(&%s)",
                 "virDomainInterface": "stub_interface_new(&%s)",
                 "virNetworkDHCPLease": "stub_dhcp_lease_new(&%s)",
                 "virDomainStatsRecord": "stub_stats_record_new(link, &%s, &error)"}


def struct_list_alloc(stub: Stub) -> None:
    out, value = stub.only_out(), stub.reply_fields[0]
    array = f"reply.{c_field(value.name)}"
    stub.owns_reply = True
    needs_list = not any(f.name == "need_results" for f in
                         (stub.proc.args.fields if stub.proc.args else []))
    if needs_list:
        stub.need(out.name)
    stub.fills += [f"if ({out.name})", f"    *{out.name} = NULL;"]
    if out.type.word == "string":
        lines = [f"*{out.name} = stub_take_strings({array}.count, {array}.items);"]
    else:
        lines = list_of_structs(stub, out, array)
    stub.after += lines if needs_list else [f"if ({out.name}) {{", *("    " + x for x in lines), "}"]
    if needs_list:
        stub.result = f"{array}.count"
    else:
        stub.result = f"{out.name} ? (int){array}.count : (int)reply.ret"


def list_of_structs(stub: Stub, out: Param, array: str) -> list[str]:
    struct = stub.api.structs[out.type.name]
    maker = STRUCT_MAKERS[struct.name] % f"{array}.items[i]"
    lines = [f"*{out.name} = g_new0({struct.pointer}, (gsize){array}.count + 1);",
             f"for (guint32 i = 0; i < {array}.count; i++)" + (" {" if "&error" in maker else ""),
             f"    (*{out.name})[i] = {maker};"]
    if "&error" in maker:
        lines += [f"    if (!(*{out.name})[i]) {{",
                  f"        g_clear_pointer({out.name}, virDomainStatsRecordListFree);",
                  f"        return {stub.fail_with};", "    }", "}"]
    return lines


def struct_list_caller(stub: Stub) -> None:
    out, value = stub.only_out(), stub.reply_fields[0]
    array, space = f"reply.{c_field(value.name)}", out.type.length
    stub.owns_reply = True
    if stub.proc.name == "domain_get_disk_errors":
        stub.after += ["if (maxerrors == 0)", "    return reply.nerrors;"]
    stub.unless(f'stub_fits({array}.count, {space}, "{value.name}", &error)')
    stub.after.append(f"for (guint32 i = 0; i < {array}.count; i++) {{")
    assert value.struct
    for member in value.struct.fields:
        source = f"{array}.items[i].{c_field(member.name)}"
        if member.base == "string":
            source = f"g_steal_pointer(&{source})"
        stub.after.append(f"    {out.name}[i].{member.name} = {source};")
    stub.after.append("}")
    stub.result = f"{array}.count"


def call_fds(stub: Stub, given: str, fds_out: str) -> None:
    reply = "&reply" if stub.proc.ret else "NULL"
    stub.send = (f"client_call_fds(link, API_PROC({stub.proc.symbol.upper()}), &request, {reply}, "
                 f"{given}, {fds_out}, &error)")


def fd_out(stub: Stub) -> None:
    if stub.call.param("fd"):
        stub.check("client_need_nonnegative", "fd", '"fd"')
        call_fds(stub, "&fd, 1", "NULL, NULL")
        return
    fds = next(p for p in stub.call.params if p.type.word == "fds")
    call_fds(stub, f"{fds.name}, {fds.type.length}", "NULL, NULL")
    if stub.reply_fields and stub.call.ret.type.word == "status":
        object_refresh(stub)
    elif stub.reply_fields:
        stub.result = value_of(stub, stub.reply_fields[0], stub.call.ret.type.word)


def fd_in(stub: Stub) -> None:
    stub.decls += ["g_autofree int *received = NULL;", "gsize n_received = 0;"]
    call_fds(stub, "NULL, 0", "&received, &n_received")
    if stub.outs():
        stub.after.append("*fdlist = g_steal_pointer(&received);")
        stub.result = "(int)n_received"
    else:
        stub.unless("stub_one_fd(received, n_received, &error)")
        stub.result = "received[0]"


def monitor_command(stub: Stub) -> None:
    stub.owns_reply = True
    if stub.proc.fds:
        stub.decls += ["g_autofree int *received = NULL;", "gsize n_received = 0;"]
        stub.checks = [c for c in stub.checks if "outfiles" not in c]
        stub.checks.append("stub_check_outfiles(outfiles, noutfiles, __func__, &error)")
        call_fds(stub, "infiles, ninfiles", "&received, &n_received")
        stub.after += ["if (outfiles) {", "    *outfiles = g_steal_pointer(&received);",
                       "    *noutfiles = n_received;", "} else {",
                       "    stub_close_fds(received, n_received);", "}"]
    stub.after.append("*result = g_steal_pointer(&reply.result);")


KINDS: dict[str, Callable[[Stub], None]] = {
    "": by_rule, "forwarded-identity": by_rule, "uuid-from-text": by_rule,
    "out-number": out_number, "out-several": out_several, "object-refresh": object_refresh,
    "struct-out-special": struct_out_special, "char-words": char_words, "typed-query": typed_query,
    "typed-query-uncounted": typed_query_uncounted, "typed-alloc": typed_alloc,
    "stat-query": stat_query, "typed-matrix": typed_matrix, "cpumaps": cpumaps,
    "buffer-out": buffer_out, "struct-list-alloc": struct_list_alloc,
    "struct-list-caller": struct_list_caller, "cell-arrays": cell_arrays, "fd-out": fd_out,
    "fd-in": fd_in, "monitor-command": monitor_command,
}
