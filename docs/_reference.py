"""Pages that cannot go stale: the command's and the API's reference, written from the code.

mkdocs calls `on_page_markdown` for each page. A page asks for a reference with a line of its own:
`<!-- reference: cli -->`, and likewise for every name in `_WRITERS` below.
"""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

from pydantic_core import PydanticUndefined


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marks of one page by what the code says."""
    for name, write in _WRITERS.items():
        mark = f"<!-- reference: {name} -->"
        if mark in markdown:
            markdown = markdown.replace(mark, "\n".join(write()))
    return markdown


# ── the command ────────────────────────────────────────────────────────────────────────────────


def _cli() -> Iterator[str]:
    import typer.main

    from cadenza_cli.main import every_command

    yield from _command(typer.main.get_command(every_command()), "cadenza", level=2)


# The root says these once; every command takes them too.
_COMMON = {"--url", "--home", "--json", "--quiet", "--debug"}


def _command(command: Any, path: str, level: int) -> Iterator[str]:
    subcommands = {
        name: sub for name, sub in getattr(command, "commands", {}).items() if not sub.hidden
    }
    root = path == "cadenza"
    yield f"{'#' * level} {path}\n"
    yield _text(command.help)
    options = [
        param
        for param in command.params
        if not getattr(param, "hidden", False) and (root or _COMMON.isdisjoint(param.opts))
    ]
    words = [path] + (["[options]"] if any(p.param_type_name == "option" for p in options) else [])
    words += [_placeholder(p) for p in options if p.param_type_name == "argument"]
    words += ["command"] if subcommands else []
    yield f"```text\n{' '.join(words)}\n```\n"
    if options:
        yield "| option or argument | what it does |\n|---|---|"
        for param in options:
            yield f"| {_names(param)} | {_explained(param)} |"
        yield ""
    if not root:
        yield from _epilog(command.epilog or "")
    for name, sub in subcommands.items():
        yield from _command(sub, f"{path} {name}", min(level + 1, 4))


def _epilog(epilog: str) -> Iterator[str]:
    for paragraph in epilog.split("\n\n"):
        head, _, lines = paragraph.partition("\n  ")
        if head.replace("\b", "").strip() == "Examples:":
            examples = "\n".join(line.strip() for line in lines.splitlines())
            yield f"```sh\n{examples}\n```\n"
        else:
            yield _text(paragraph)


def _placeholder(param: Any) -> str:
    if param.metavar:
        return str(param.metavar)
    name = param.name.upper() + ("..." if param.nargs == -1 else "")
    return name if param.required else f"[{name}]"


def _names(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{_placeholder(param)}`"
    names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
    takes_value = not param.is_flag and not getattr(param, "count", False)
    return names + (f" *{_type(param)}*" if takes_value else "")


def _type(param: Any) -> str:
    if param.metavar:
        return str(param.metavar)
    annotation = getattr(getattr(param, "type_descriptor", None), "annotation", str)
    words = {int: "NUMBER", float: "NUMBER", str: "TEXT"}
    return words.get(annotation, "VALUE")


def _explained(param: Any) -> str:
    words = " ".join((getattr(param, "help", None) or "").split())
    default = param.default
    if isinstance(default, (str, int, float)) and not isinstance(default, bool) and default != "":
        words += f" Default: `{default}`."
    envvar = getattr(param, "envvar", None)
    if envvar:
        names = [envvar] if isinstance(envvar, str) else envvar
        words += f" Environment: {', '.join(f'`{name}`' for name in names)}."
    return _cell(words)


# ── the queue ──────────────────────────────────────────────────────────────────────────────────


def _fail_codes() -> Iterator[str]:
    from cadenza_uploader._explain import _FAILURES as FAILURES
    from cadenza_uploader.take import FailCode

    yield "| code | what happened | tried again |\n|---|---|---|"
    for code in FailCode:
        again = "daily, or when you say so" if code.needs_user else "by itself, a few times a day"
        yield f"| `{code.value}` | {_cell(FAILURES[code])} | {again} |"
    yield ""


def _settings() -> Iterator[str]:
    from cadenza_uploader import Settings

    words = dict(
        re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", inspect.getdoc(Settings) or "", re.MULTILINE)
    )
    yield "| variable | default | |\n|---|---|---|"
    for name, field in Settings.model_fields.items():
        if name not in words:
            continue  # for tests, not for people
        default = "" if field.default in (None, (), PydanticUndefined) else f"`{field.default}`"
        yield f"| `CADENZA_{name.upper()}` | {default} | {_cell(words[name])} |"
    yield ""


# ── the server ─────────────────────────────────────────────────────────────────────────────────


def _server_settings() -> Iterator[str]:
    from cadenza_server import ServerSettings

    yield "| variable | default | |\n|---|---|---|"
    for name, field in ServerSettings.model_fields.items():
        aliases = getattr(field.validation_alias, "choices", [f"CADENZA_{name.upper()}"])
        names = ", ".join(f"`{one}`" for one in aliases if str(one).isupper())
        plain = field.default if isinstance(field.default, str | int | float) else ""
        default = f"`{plain}`" if plain != "" else ""
        yield f"| {names} | {default} | {_cell(field.description or '')} |"
    yield ""


# ── the API ────────────────────────────────────────────────────────────────────────────────────


# What every route behind the sign-in may answer; the page says it once.
_USUAL_REFUSALS = {"401", "429", "500", "503"}
_METHODS = ("get", "head", "post", "put", "patch", "delete")


def _api() -> Iterator[str]:
    from cadenza_server import ServerSettings, create_app

    description = create_app(ServerSettings(env="dev")).openapi()
    schemas = description.get("components", {}).get("schemas", {})
    groups: dict[str, list[tuple[str, str, Any]]] = {}
    for path, methods in description["paths"].items():
        shared = methods.get("parameters", [])
        for method, operation in methods.items():
            if method not in _METHODS:
                continue
            operation = {**operation, "parameters": shared + operation.get("parameters", [])}
            group = (operation.get("tags") or ["other"])[0]
            groups.setdefault(group, []).append((method.upper(), path, operation))
    for group, operations in groups.items():
        yield f"## {group.capitalize()}\n"
        for method, path, operation in operations:
            yield from _operation(method, path, operation)
    yield "## Bodies\n"
    for name, schema in sorted(schemas.items()):
        yield from _schema(name, schema)


def _operation(method: str, path: str, operation: Any) -> Iterator[str]:
    yield f"### {method} {path}\n"
    yield _text(operation.get("description") or operation.get("summary"))
    parameters = operation.get("parameters", [])
    if parameters:
        yield "| parameter | in | type | |\n|---|---|---|---|"
        for one in parameters:
            needed = "required" if one.get("required") else ""
            words = one.get("description") or one["schema"].get("description") or ""
            cells = (f"`{one['name']}`", one["in"], _shape(one["schema"]), f"{words} {needed}")
            yield "| " + " | ".join(_cell(cell) for cell in cells) + " |"
        yield ""
    bodies = operation.get("requestBody", {}).get("content", {})
    if bodies:
        shapes = dict.fromkeys(
            _shape(content["schema"]) if kind == "application/json" else f"`{kind}`"
            for kind, content in bodies.items()
        )
        yield f"Body: {' or '.join(shapes)}\n"
    answers, refusals = [], []
    for status, answer in operation.get("responses", {}).items():
        schemas = [content.get("schema") for content in answer.get("content", {}).values()]
        if status.startswith("2"):
            shapes = dict.fromkeys(_shape(schema) for schema in schemas if schema)
            answers.append(f"{status} {' or '.join(shapes) or 'without a body'}")
        elif status not in _USUAL_REFUSALS:
            refusals.append(f"{status} {answer['description']}")
    yield f"Answer: {'; '.join(answers)}\n"
    if refusals:
        yield f"Refusals: {'; '.join(refusals)}\n"


def _error_codes() -> Iterator[str]:
    from cadenza_server.codes import ERROR_CODES

    yield "| code | status | sentence |\n|---|---|---|"
    for code, entry in sorted(ERROR_CODES.items()):
        yield f"| `{code}` | {entry.status} | {_cell(entry.sentence)} |"
    yield ""


def _schema(name: str, schema: Any) -> Iterator[str]:
    yield f"### {name}\n"
    yield _text(schema.get("description"))
    if "enum" in schema:
        yield ", ".join(f"`{value}`" for value in schema["enum"]) + "\n"
    if schema.get("properties"):
        yield "| field | type | |\n|---|---|---|"
        for field, one in schema["properties"].items():
            needed = "required" if field in schema.get("required", ()) else ""
            words = f"{one.get('description', '')} {needed}"
            yield f"| `{field}` | {_cell(_shape(one))} | {_cell(words)} |"
        yield ""


def _shape(schema: Any) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_shape(one) for one in schema[key]))
    if "const" in schema or "enum" in schema:
        values = schema.get("enum") or [schema["const"]]
        return " or ".join(f"`{value}`" for value in values)
    if schema.get("type") == "array":
        return f"list of {_shape(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "anything")


# ── words ──────────────────────────────────────────────────────────────────────────────────────


def on_page_content(content: str, **_: Any) -> str:
    """Drop the requirement ids in brackets, which serve the reader of the code only."""
    return _IDS.sub("", content)


# (F000-52), (B-26), (I2, SEC-05) … but not (S3)
_IDS = re.compile(r" ?\((?!S3\))(?:[A-Z]{1,5}-?\d+(?:[-–…][A-Z]?\d+)?(?:, |; )?)+\)")


def _text(words: str | None) -> str:
    """A docstring as paragraphs; what looks like a tag is shown, not obeyed."""
    return html.escape((words or "").replace("\b", "").strip(), quote=False) + "\n"


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|").replace("<", "&lt;")


_WRITERS: dict[str, Callable[[], Iterator[str]]] = {
    "api": _api,
    "cli": _cli,
    "error-codes": _error_codes,
    "fail-codes": _fail_codes,
    "server-settings": _server_settings,
    "settings": _settings,
}
