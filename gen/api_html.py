# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Emits the HTML reference of the public API: an index and a page for each subject, from the texts
# of the schema. Names of calls and types are links across pages.
from __future__ import annotations

import re
from html import escape

import api_text
from api_headers import emit_callback, emit_struct, wrapped
from api_model import Api, Call, Callback, Entry, Enum, Fields, Macro, Struct, Subject, declare

STYLE = ("body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
         "pre{background:#f4f4f4;padding:.6em;overflow:auto}td{padding:.1em 1em .1em 0;"
         "vertical-align:top}h3{margin-top:2em}.since{color:#777;font-size:80%;float:right}")


def page_of(subject: str) -> str:
    return f"api-{subject}.html"


class Pages:
    def __init__(self, api: Api):
        self.api = api
        self.links: dict[str, str] = {}
        tables = [api.calls, api.callbacks, api.enums, api.structs, api.macros, api.typedefs,
                  api.variables]
        for table in tables:
            for entry in table.values():
                self.links[entry.name] = f"{page_of(entry.subject)}#{entry.name}"
                pointer = getattr(entry, "pointer", "")
                if pointer:
                    self.links[pointer] = self.links[entry.name]

    def linked(self, text: str) -> str:
        """@text as HTML in which names of the API are links."""
        def link(match: re.Match) -> str:
            target = self.links.get(match[0])
            return f'<a href="{target}">{match[0]}</a>' if target else match[0]
        return re.sub(r"\bvir[A-Z]\w+", link, escape(text))

    def page(self, title: str, body: list[str]) -> str:
        head = (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
                f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>")
        return "\n".join([head, f"<h1>{escape(title)}</h1>", *body, "</body></html>", ""])

    def index(self) -> str:
        rows = [f'<tr><td><a href="{page_of(s.name)}">{s.name}</a></td>'
                f"<td>{escape(s.title)}</td></tr>" for s in self.api.subjects.values()]
        return self.page("Public API", ["<table>", *rows, "</table>"])

    def subject(self, subject: Subject) -> str:
        api = self.api
        of = lambda table: [e for e in table if e.subject == subject.name]  # noqa: E731
        calls, fields = of(api.calls.values()), of(api.fields)
        body = [f'<p><a href="{page_of("index")}">All subjects</a> · '
                f"&lt;{api.headers[subject.header].folder}/{subject.header}.h&gt;</p>",
                f"<p>{escape(subject.title)}</p>", "<table>"]
        body += [f'<tr><td><a href="#{c.name}">{c.name}</a></td><td>{escape(c.doc)}</td></tr>'
                 for c in calls]
        body.append("</table>")
        for call in calls:
            body += self.call(call)
        for callback in of(api.callbacks.values()):
            body += self.callback(callback)
        for enum in of(api.enums.values()):
            body += self.enum(enum)
        for struct in of(api.structs.values()):
            body += self.struct(struct)
        for typedef in of(api.typedefs.values()):
            body += self.heading(typedef, f"typedef {declare(typedef.ctype, typedef.name)};")
        for variable in of(api.variables.values()):
            body += self.heading(variable, f"extern {declare(variable.ctype, variable.name)};")
        for macro in of(api.macros.values()):
            body += self.macro(macro)
        for group in fields:
            body += self.fields(group)
        return self.page(subject.title.rstrip(".") or subject.name, body)

    def heading(self, entry: Entry, code: str) -> list[str]:
        lines = [f'<h3 id="{entry.name}">{entry.name} <span class="since">since {entry.since}'
                 "</span></h3>", f"<pre>{self.linked(code.strip())}</pre>"]
        return lines + [f"<p>{self.linked(text)}</p>" for text in [entry.doc, *entry.details]
                        if text]

    def call(self, call: Call) -> list[str]:
        lines = self.heading(call, wrapped(
            self.api.c_prototype(call.name, call.ret, call.params) + ";"))
        lines += self.arguments(call)
        if call.fails:
            lines.append("<p>Errors:</p><ul>")
            lines += [f"<li>{self.linked(api_text.fail(f))}</li>" for f in call.fails]
            lines.append("</ul>")
        return lines

    def arguments(self, entry: Call | Callback) -> list[str]:
        rows = [(p.name, api_text.param(self.api, entry, p)) for p in entry.params]
        returned = api_text.returns(self.api, entry.ret)
        if returned:
            rows.append(("returns", returned))
        return self.table(rows)

    def table(self, rows: list[tuple[str, ...]]) -> list[str]:
        if not rows:
            return []
        cells = ["<tr>" + "".join(f"<td>{self.linked(c)}</td>" for c in row) + "</tr>"
                 for row in rows]
        return ["<table>", *cells, "</table>"]

    def callback(self, callback: Callback) -> list[str]:
        return self.heading(callback, emit_callback(self.api, callback)) + self.arguments(callback)

    def enum(self, enum: Enum) -> list[str]:
        rows = [(v.name, v.written, v.doc or self.event(v.name))
                for v in enum.values if not v.sentinel]
        users = api_text.users(self.api, enum)
        return [*self.heading(enum, f"typedef enum {{ ... }} {enum.name};"), *self.table(rows),
                f"<p>{self.linked(users)}</p>" if users else ""]

    def event(self, name: str) -> str:
        event = self.api.events.get(name)
        return f"{event.doc} Calls a {event.callback}." if event else ""

    def struct(self, struct: Struct) -> list[str]:
        code = f"typedef struct {struct.tag} {struct.name};"
        if struct.members:
            code += "\n" + emit_struct(struct)
        rows = [(m.name, m.doc) for m in struct.members if m.doc]
        return self.heading(struct, code) + self.table(rows)

    def macro(self, macro: Macro) -> list[str]:
        args = f"({', '.join(macro.args)})" if macro.args else ""
        return self.heading(macro, f"#define {macro.name}{args} {macro.body}")

    def fields(self, fields: Fields) -> list[str]:
        title = fields.title or "Typed parameters of " + ", ".join(fields.users)
        title += f", group {fields.group}" if fields.group else ""
        rows = [(f.text if not f.full else f.full, f.type, f.macro, f.doc) for f in fields.rows]
        return [f"<h3>{self.linked(title)}</h3>", *self.table(rows)]


def emit(api: Api) -> dict[str, str]:
    pages = Pages(api)
    texts = {page_of(s.name): pages.subject(s) for s in api.subjects.values()}
    return texts | {page_of("index"): pages.index()}
