# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Sentences that follow from the schema's words, for the API description and the reference: what a
# parameter is, what a call returns. An entry's own text always wins.
from __future__ import annotations

from api_model import Api, Call, Callback, Enum, Fail, Param, Ret

NOUNS = {"domain": "guest", "connect": "connection", "adm-connect": "admin connection",
         "nodedev": "node device", "pool": "storage pool", "nwfilter": "network filter",
         "binding": "filter binding", "port": "network port"}
# Parameters that mean the same in every call that has them.
COMMON = {
    "callbackID": "the number that the registration returned",
    "cb": "the function to call",
    "opaque": "passed on to the callback",
    "freecb": "called with opaque when the callback is no longer needed; may be NULL",
    "ff": "called with opaque when the callback is no longer needed; may be NULL",
    "autostart": "1 if it starts with the host, else 0",
}
SHAPES = {
    "uuid": "16 raw bytes",
    "uuid-text": "buffer of at least VIR_UUID_STRING_BUFLEN bytes",
    "typed": "typed parameters",
    "cpumap": "bit map, bit N of it for CPU N",
}


def param(api: Api, entry: Call | Callback, p: Param) -> str:
    return p.doc or COMMON.get(p.name, "") or "; ".join(facts(api, p))


def facts(api: Api, p: Param) -> list[str]:
    t, out = p.type, p.direction in ("out", "inout")
    texts = []
    if t.word == "flags":
        return ["must be 0" if t.name == "none" else f"0 or {t.name} values joined by OR"]
    if t.enum:
        values = api.enums[t.enum]
        texts.append(f"{t.enum} values joined by OR" if values.is_flags else f"a {t.enum}")
    elif t.word in api.objects:
        noun = NOUNS.get(t.word, t.word)
        texts.append(f"NULL-terminated array of {noun}s" if t.shape == "list" and not out else
                     f"the {noun}" if p.direction in ("self", "in") else noun + "s")
    elif t.word in SHAPES:
        texts.append(SHAPES[t.word])
    if p.counts:
        texts.append(f"length of {' and '.join(p.counts)}"
                     + ("; on return the number stored" if p.direction == "inout" else ""))
    if t.shape == "array":
        texts.append(f"array of {t.length}" + (" to fill" if out else ""))
    elif t.shape == "list" and out:
        texts.append("set to an allocated list, to be freed by the caller")
    elif t.shape == "alloc":
        texts.append("set to allocated memory, to be freed by the caller")
    elif t.word == "string" and out and not t.const:
        texts.append("set to an allocated string, to be freed by the caller")
    elif out and not p.counts:
        texts.append("filled on success")
    if t.nullable:
        texts.append("may be NULL")
    return texts


def returns(api: Api, ret: Ret) -> str:
    if ret.doc:
        return ret.doc
    t = ret.type
    failure = "" if ret.failure == "none" else f", {ret.failure} on error"
    if t.word == "void":
        return ""
    if t.word == "status":
        return "0 on success, -1 on error"
    if t.word == "count":
        return "how many, -1 on error"
    if t.word == "bool":
        return "1 if so, 0 if not" + failure
    if t.word in api.objects:
        return (f"a new reference to the {NOUNS.get(t.word, t.word)}, to be freed by the caller"
                + failure)
    if t.word == "string" and t.const:
        return "the string, valid as long as the object" + failure
    if t.word in ("string", "bytes"):
        return "allocated, to be freed by the caller" + failure
    return ("the number" if t.word != "struct" else "the structure") + failure


def users(api: Api, enum: Enum) -> str:
    """Which calls and callbacks take or give values of @enum."""
    names = [e.name for e in [*api.calls.values(), *api.callbacks.values()]
             if any(enum.name in (p.type.enum, p.type.name) for p in e.params)]
    return f"Used by {', '.join(names)}." if names else ""


def fail(f: Fail) -> str:
    return ", ".join(f.codes) + (f": {f.when}" if f.when else "")
