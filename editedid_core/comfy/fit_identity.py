"""Fit Identity on the host: go on where a fit was interrupted, keep its state, write the embedding file."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ..engines.super_resolution.settings import TokenFit
from ..records import Identity
from ..ticks import Say
from .embedding_file import KEY, PHOTOS, EmbeddingFile, digest, fingerprint
from .prompt_slots import PromptSlots
from .token_fit import FitState, Photos, encoded, fit_tokens

CHECKS = "editedid.errors"


@dataclass(frozen=True)
class FitRequest:
    """What the tokens begin as and how they are fitted. photos: digest of the pictures; places: of where the faces lie
    in them; prompt: with `{name}` where the tokens stand; start: words; told: metadata of the user for the file, by
    name."""

    photos: str
    places: str
    prompt: str
    start: str
    settings: TokenFit
    told: Mapping[str, str]


def fit_identity(model: Any, clip: Any, vae: Any, photos: Photos, file: EmbeddingFile, request: FitRequest,
                 say: Say) -> tuple[Identity, tuple[float, ...], str]:
    """Fit the person of the photos and write the file; returns the identity, the errors about the noise at each check,
    and sentences on how it went, one that the file could not be written among them.

    The vectors of a file of the same fit are taken as they are, and a file of the same photos is replaced. Raises
    ValueError where the file holds another person, and as `fit_tokens` does.
    """
    slots = PromptSlots.of(clip, request.prompt, request.settings.tokens)
    file.require_photos(request.photos)
    own = fingerprint(model)
    key = digest(request.photos, request.places, tuple(photos.latents.shape), own, fingerprint(clip.patcher),
                 fingerprint(vae.patcher), request.prompt, request.start, asdict(request.settings))
    told_now = {f"editedid.{name}": text for name, text in request.told.items()}
    vectors, told = file.read()
    if told.get(KEY) == key:
        lost = "" if told_now.items() <= told.items() else _written(file, vectors, {**told, **told_now})
        return (Identity(file.name, vectors, encoded(model, slots, vectors)), tuple(json.loads(told[CHECKS])),
                f"These tokens were fitted before and are taken from the file. {lost}".strip())
    begun = file.kept(key)
    start, sizes = slots.start(request.start, request.settings.tokens, request.settings.noise_seed)

    def keep(state: FitState) -> None:
        try:
            file.keep(state, key)
        except OSError as error:
            logging.warning("EditedID: how far the fit is could not be kept (%s).", error)

    done = fit_tokens(model, slots, photos, request.settings, begun or FitState.new(start), sizes, say, keep)
    lost = _written(file, done.vectors, {
        **told_now, PHOTOS: request.photos, KEY: key,
        "editedid.model": own, "editedid.tokens": str(request.settings.tokens), "editedid.prompt": request.prompt,
        "editedid.photo_count": str(len(photos.latents)), CHECKS: json.dumps(done.errors),
    })
    note = f"Went on after update {begun.updates} of an interrupted run. " if begun is not None else ""
    return Identity(file.name, done.vectors, done.context), done.errors, f"{note}{lost}".strip()


def _written(file: EmbeddingFile, vectors: Mapping[str, torch.Tensor], told: Mapping[str, str]) -> str:
    """Write the file; returns a sentence where it could not be written: what took hours is handed on all the same."""
    try:
        file.write(vectors, told)
    except OSError as error:
        lost = (f"The file could not be saved ({error}): the output person holds the tokens; make room, or let "
                "ComfyUI's user write there, and run once more.")
        logging.warning("Fit Identity: %s", lost)
        return lost
    return ""


def with_identity(positive: list[list[Any]] | None, identity: Identity | None) -> list[list[Any]] | None:
    """A prompt with a person's tokens behind its own; without a prompt the one that they were fitted in."""
    if identity is None or positive is None:
        return positive if identity is None else identity.context
    ((context, _),) = identity.context
    made = []
    for tokens, options in positive:
        if tokens.shape[-1] != context.shape[-1]:
            raise ValueError(f"person: {identity.name} was fitted with a text encoder of {context.shape[-1]} numbers, "
                             f"the prompt in positive has {tokens.shape[-1]}; use the model that it was fitted on.")
        made.append([torch.cat([tokens, context.to(tokens).expand(len(tokens), -1, -1)], 1), options])
    return made
