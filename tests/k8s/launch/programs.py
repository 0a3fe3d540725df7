"""Launches of programs of other images, and such images: a script over the image that drivers run."""

from dataclasses import replace
from pathlib import Path

from framework.config import ContainerFacts, DataMode, ExportedConfig
from framework.container.layout import POD
from framework.launch.base import LaunchRequest, Program, step_command
from tests.servers.cluster import Whole

WORDS = ("python3", "/opt/tool/tool.py")


def as_program(
    made: LaunchRequest, image: str, data: DataMode, *, inputs: tuple[str, ...], number: int = 1
) -> LaunchRequest:
    """The launch of a job, but of ``image``. ``number``: of the try."""
    epoch = replace(made.epoch, try_number=number)
    told = ExportedConfig.parse_json(made.config, where="test")
    config = told.model_copy(update={"epoch": epoch, "container": ContainerFacts(image=image, data=data)})
    env = POD.variables(inputs, ["default"])
    program = Program(image, step_command("prepare"), step_command("publish"), env, opens_uris=data == "uri")
    assert made.resources is not None
    return replace(
        made, name=f"{made.key.task_id}-{number}", epoch=epoch, command=(), config=config.json_bytes(), program=program,
        connections=b"{}", resources=replace(made.resources, executors=0),
    )  # fmt: skip


def import_scripts(whole: Whole, home: Path, scripts: dict[str, tuple[Path, dict[str, object]]]) -> None:
    """Images by name: the script, and what else is set of each."""
    from k8s.images.oci import Layer, Settings, write_image
    from k8s.images.parts import PACKAGES
    from k8s.local.node.images import import_images

    path = {"PATH": "/usr/bin:/bin", "PYTHONPATH": PACKAGES}
    for number, (name, (script, more)) in enumerate(scripts.items()):
        layer = [Layer(script, "/opt/tool/tool.py")]
        settings = Settings(**{"env": path, **more})  # type: ignore[arg-type]  # as Settings has them
        write_image(home / f"{number}.tar", name, layer, settings, base=whole.node.base.archive, thin=True)
    archives = [home / f"{number}.tar" for number in range(len(scripts))]
    import_images(whole.node.node.layout, archives, whole.node.node.inside)
