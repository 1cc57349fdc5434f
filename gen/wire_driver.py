# SPDX-License-Identifier: LGPL-2.1-or-later
# Emits api-driver.[ch]: the table of functions that a driver fills, one for each call, and the one
# function that calls through it.
from __future__ import annotations

from wire_ctypes import generated
from wire_procs import has_slot, slot_name
from wire_schema import Proc, Wire

INVOKE = '''
/* Call @proc's function with @args and a zeroed @ret (each ignored when the procedure has none). An
 * empty slot fails with VIR_ERR_NO_SUPPORT and the public function's name. */
bool api_invoke(const DriverSlots *slots, const ApiProc *proc, Call *call, const void *args, void *ret, GError **err);
/* Does the driver have a function for @proc? */
bool api_has_slot(const DriverSlots *slots, const ApiProc *proc);
'''
SOURCE = '''
#define ERROR_DOMAIN VIR_FROM_NONE

#include "gen/api-driver.h"

#include "base/error.h"

typedef void (*AnyFunc)(void);
typedef bool (*PlainFunc)(Call *call, GError **err);
typedef bool (*ArgsFunc)(Call *call, const void *args, GError **err);
typedef bool (*RetFunc)(Call *call, void *ret, GError **err);
typedef bool (*ArgsRetFunc)(Call *call, const void *args, void *ret, GError **err);

static AnyFunc
slot_of(const DriverSlots *slots, const ApiProc *proc)
{
    if (proc->slot_offset < 0)
        return NULL;
    return *(const AnyFunc *)((const char *)slots + proc->slot_offset);
}

bool
api_has_slot(const DriverSlots *slots, const ApiProc *proc)
{
    return slot_of(slots, proc) != NULL;
}

bool
api_invoke(const DriverSlots *slots, const ApiProc *proc, Call *call, const void *args, void *ret, GError **err)
{
    AnyFunc func = slot_of(slots, proc);

    if (!func)
        return fail(err, VIR_ERR_NO_SUPPORT, "%s", proc->function);
    if (proc->args && proc->ret)
        return ((ArgsRetFunc)func)(call, args, ret, err);
    if (proc->args)
        return ((ArgsFunc)func)(call, args, err);
    if (proc->ret)
        return ((RetFunc)func)(call, ret, err);
    return ((PlainFunc)func)(call, err);
}
'''


def emit_header(wire: Wire) -> str:
    out = [generated("what a driver fills in"), "#pragma once\n", '#include "gen/api-procs.h"\n',
           "typedef struct Call Call; /* object/call.h */\n", "typedef struct DriverSlots {"]
    out += [f"    bool (*{slot_name(proc)})({parameters(proc)});"
            for proc in wire.procs if has_slot(proc)]
    out += ["} DriverSlots;", INVOKE]
    return "\n".join(out)


def emit_source(wire: Wire) -> str:
    return generated("what a driver fills in") + SOURCE


def parameters(proc: Proc) -> str:
    words = ["Call *call"]
    if proc.args:
        words.append(f"const {proc.args.c_name} *args")
    if proc.ret:
        words.append(f"{proc.ret.c_name} *ret")
    return ", ".join(words + ["GError **err"])
