"""How a function becomes a command: shared options in, known errors out.

Every command takes a `Run` first and never sees `--url`, `--home`, `--json`, `--quiet` and
`--debug`: they are added to its signature here, so that each works before and after the
command's name and no command can forget one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec

import typer

from cadenza_cli import _options
from cadenza_cli._errors import ExitCode, explain_error
from cadenza_cli._run import Common, Run, World

__all__ = ["command", "group", "remember_common"]

P = ParamSpec("P")
Body = Callable[Concatenate[Run, P], None]

_COMMON: dict[str, tuple[Any, Any]] = {
    "url": (_options.UrlOption, None),
    "home": (_options.HomeOption, None),
    "json": (_options.JsonOption, False),
    "quiet": (_options.QuietOption, False),
    "debug": (_options.DebugOption, False),
}
_SETTINGS = {"help_option_names": ["-h", "--help"]}


def group(
    *, summary: str, examples: Sequence[str] = (), add_completion: bool = False
) -> typer.Typer:
    """A group of commands. Its help is plain: importing rich's costs more than all the rest."""
    return typer.Typer(
        help=summary,
        epilog=_epilog(examples, None),
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        add_completion=add_completion,
        context_settings=_SETTINGS,
    )


def command(
    app: typer.Typer, name: str, *, examples: Sequence[str] = (), more: str | None = None
) -> Callable[[Body[P]], Body[P]]:
    """Register the decorated function as a command of `app`; it is returned unchanged.

    Args:
        app: the group it belongs to.
        name: what the user types.
        examples: command lines for the end of its help.
        more: a paragraph after them: limits, exit codes.
    """

    def register(body: Body[P]) -> Body[P]:
        app.command(
            name,
            help=inspect.getdoc(body),
            epilog=_epilog(examples, more),
            context_settings=_SETTINGS,
        )(_with_common_options(body))
        return body

    return register


def remember_common(context: typer.Context, values: dict[str, Any]) -> None:
    """Keep the options given before the command's name for the command that follows."""
    _world(context).common = Common(**values)


def _with_common_options(body: Body[P]) -> Callable[..., None]:
    own = inspect.signature(body, eval_str=True)
    _, *parameters = own.parameters.values()
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    common = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
        )
        for name, (annotation, default) in _COMMON.items()
    ]
    keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]

    @functools.wraps(body)
    def invoke(context: typer.Context, **values: Any) -> None:
        given = Common(**{name: values.pop(name) for name in _COMMON})
        world = _world(context)
        run = Run(world, given.over(world.common))
        _report_errors(run, functools.partial(body, run, **values))

    invoke.__signature__ = own.replace(  # type: ignore[attr-defined]  # what inspect reads
        parameters=[context, *keyword_only, *common]
    )
    # typer resolves string annotations in the wrapper's own module; these are resolved already.
    invoke.__annotations__ = {}
    return invoke


def _report_errors(run: Run, body: Callable[[], None]) -> None:
    try:
        run.start_logging()
        body()
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise
    except Exception as error:
        # The one place that catches: what is in the table becomes a sentence and an exit code.
        if run.common.debug:
            raise
        known = explain_error(error)
        if known is None:
            run.out.error(
                f"Cadenza stopped because of a bug ({type(error).__name__}).",
                "Run it again with --debug and report what it shows. No take is lost.",
                document={"code": "bug", "sentence": type(error).__name__, "exit_code": 1},
            )
            raise typer.Exit(ExitCode.FAILURE) from None
        run.out.error(known.sentence, known.next_step, document=known.document())
        raise typer.Exit(known.exit_code) from None


def _world(context: typer.Context) -> World:
    root = context.find_root()
    if not isinstance(root.obj, World):
        root.obj = World()
    world: World = root.obj
    return world


def _epilog(examples: Sequence[str], more: str | None) -> str | None:
    # \b keeps the lines of its paragraph as they are.
    lines = "\n".join(["\b", "Examples:", *(f"  {line}" for line in examples)])
    paragraphs = [lines] if examples else []
    if more:
        paragraphs.append(" ".join(more.split()))
    return "\n\n".join(paragraphs) or None
