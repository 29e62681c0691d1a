"""One configuration: JSON both ways, changes by path, and errors that name the field."""

from __future__ import annotations

import dataclasses
import json

import pytest

from editedid_core.config import RestoreConfig


def test_json_goes_both_ways() -> None:
    config = RestoreConfig().changed({"crop.relight": 0.25, "entangle.agreement": None, "match.photos": "nearest pose",
                                      "sampling.mixing.init_weight": 0.1, "guard.retry_shapes": [0.5]})
    again = RestoreConfig.from_json(config.to_json())
    assert again == config != RestoreConfig()
    assert again.guard.retry_shapes == (0.5,)
    assert again.entangle.agreement is None


def test_json_may_hold_some_fields_only() -> None:
    assert RestoreConfig.from_json('{"crop": {"size": 256}}') == RestoreConfig().changed({"crop.size": 256})


def paths(config: object, parent: str = "") -> list[str]:
    found = []
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        path, value = f"{parent}{field.name}", getattr(config, field.name)
        found += paths(value, f"{path}.") if dataclasses.is_dataclass(value) else [path]
    return found


@pytest.mark.parametrize("path", paths(RestoreConfig()))
def test_every_field_is_reached_by_its_path_and_refuses_nonsense(path: str) -> None:
    config = RestoreConfig()
    value = config.value(path)
    assert config.changed({path: json.loads(json.dumps(value))}) == config
    with pytest.raises(ValueError, match=path):
        config.changed({path: {"nonsense": 1}})


@pytest.mark.parametrize("path, value", [
    ("crop.size", 1.5), ("crop.size", True), ("crop.relight", "much"), ("guard.enabled", 1), ("match.photos", None),
    ("match.photos", "best"), ("find.no_face", "skip"), ("guard.retry_shapes", 0.5), ("entangle.structure_window", [0]),
])
def test_values_that_do_not_fit_are_refused_by_name(path: str, value: object) -> None:
    with pytest.raises(ValueError, match=path):
        RestoreConfig().changed({path: value})


def test_choices_are_named_where_one_is_wrong() -> None:
    with pytest.raises(ValueError, match="likest, nearest pose, all together"):
        RestoreConfig().changed({"match.photos": "best"})


@pytest.mark.parametrize("text", ["", "[]", '{"crops": {}}', '{"crop": 3}'])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        RestoreConfig.from_json(text)


def test_the_default_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RestoreConfig().crop.size = 3  # type: ignore[misc]
