#!/usr/bin/env python3
"""Writes the reference of all keys in docs/configuration.md out of `weir schema` (standard input), between its two marks.

    build/weir schema | scripts/reference.py docs/configuration.md            rewrite it
    build/weir schema | scripts/reference.py --check docs/configuration.md    only say whether it is up to date
"""

import json
import sys

BEGIN = "<!-- reference: written by scripts/reference.py -->\n"
END = "<!-- end of reference -->\n"


class Reference:
    def __init__(self, schema):
        self.schema = schema
        self.lines = []
        self.done = set()

    def resolve(self, node):
        """Follows a reference and takes allOf wrappers off; the outer description stays."""
        while "$ref" in node or "allOf" in node:
            if "$ref" in node:
                name = node["$ref"].rsplit("/", 1)[-1]
                node = dict(self.schema["definitions"][name], name=name)
            else:
                inner = self.resolve(node["allOf"][0])
                node = {**inner, **{key: value for key, value in node.items() if key != "allOf"}}
        return node

    def alternatives(self, node):
        """The forms that a value may have, without the one that every scalar has: a text with ${...} in it."""
        node = self.resolve(node)
        forms = [self.resolve(form) for form in node.get("anyOf", [])] or [node]
        return [form for form in forms if form.get("pattern") != "\\$\\{"]

    def value(self, node):
        """What may stand there, in a few words."""
        forms = [form for form in self.alternatives(node) if form.get("const") != 0]
        words = []
        for form in forms:
            pattern = form.get("pattern", "")
            if "enum" in form:
                word = ", ".join(f"`{choice}`" for choice in form["enum"])
            elif "MiB" in pattern:
                word = "size"
            elif "..(" in pattern or "\\.\\." in pattern:
                word = "durations from..to"
            elif "|ms|" in pattern:
                word = "duration"
            elif form.get("name") in ("condition", "enricher", "store", "stage"):
                word = form["name"]
            elif "array" in form.get("type", []):
                word = "list"
            elif "object" in form.get("type", []):
                word = "map"
            elif form.get("type") == ["string", "number", "boolean", "null"]:
                word = "text, number, boolean, null"
            elif form.get("type") == "boolean":
                word = "`true`, `false`"
            elif form.get("type") in ("integer", "number"):
                word = "number"
                if any("MiB" in other.get("pattern", "") for other in forms):
                    word = None
            else:
                word = "text"
            if word and word not in words:
                words.append(word)
        return " or ".join(words)

    def table(self, path, node):
        """A section for an object, then those of the objects in it."""
        required = node.get("required", [])
        rows = []
        inner = []
        for key, child in node.get("properties", {}).items():
            found = self.resolve(child)
            default = found.get("default", "required" if key in required else "")
            default = json.dumps(default) if isinstance(default, bool) else str(default)
            default = f"`{default}`" if default not in ("", "required") else default
            help_text = found.get("description", "").replace("|", "\\|").replace("\n", " ")
            rows.append(f"| `{key}` | {self.value(child)} | {default} | {help_text} |")
            for form in self.alternatives(child):
                items = self.resolve(form["items"]) if isinstance(form.get("items"), dict) else {}
                values = form.get("additionalProperties")
                if isinstance(values, dict):
                    for value in self.alternatives(values):
                        if value.get("properties"):
                            inner.append((f"{path}.{key}.NAME", value))
                for candidate in (form, items):
                    if candidate.get("properties"):
                        inner.append((f"{path}.{key}".lstrip("."), candidate))
        if rows:
            title = "A condition" if node.get("name") == "condition" else f"`{path}`" if path else "The file"
            self.lines += [f"### {title}", "", "| key | value | default | |", "|---|---|---|---|", *rows, ""]
        for name, child in inner:
            # What is reached twice (a condition in a condition, a store in a list of stores) stands once.
            mark = child.get("name") or json.dumps(child, sort_keys=True)
            if mark not in self.done:
                self.done.add(mark)
                self.table(name, child)

    def text(self):
        self.table("", self.schema)
        return "\n".join(self.lines)


def main():
    check = "--check" in sys.argv
    path = sys.argv[-1]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    head, _, rest = text.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        sys.exit(f"reference: {path} lacks its marks")
    new = f"{head}{BEGIN}\n{Reference(json.load(sys.stdin)).text()}\n{END}{tail}"
    if check and new != text:
        sys.exit(f"reference: {path} is not up to date: `make docs` writes it")
    if not check:
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)


main()
